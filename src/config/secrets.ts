/** Adds to `secrets` what a URL carries that must not be printed. */
export function collectUrlSecrets(url: URL | undefined, secrets: string[]): void {
  if (!url) return;
  for (const part of [url.username, url.password]) if (part) secrets.push(part, decoded(part));
  // As it crosses the wire, and comes back from a server that repeats it (RFC 7617).
  if (url.password) secrets.push(`${decoded(url.username)}:${decoded(url.password)}`);
  if (url.search === "") return;
  for (const value of url.searchParams.values()) {
    // 'format=text' is no token, and a redacted 'text' would spoil every sentence.
    if (value.length >= SHORTEST_TOKEN) secrets.push(value, encodeURIComponent(value));
  }
}

const SHORTEST_TOKEN = 8;

// A lone percent sign is no escape, and no reason to fail.
function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
