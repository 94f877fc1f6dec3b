import { quote } from "./quote";

/** What is being done, on the terminal of a person who waits. */
export interface Progress {
  show(text: string): void;
  /** Erases the line, until the next is shown; before anything else is printed. */
  end(): void;
}

/** What is over by then needs no explanation. */
const SHOWN_AFTER_MS = 1000;

/** A line on a terminal that appears after a second, is replaced by the next and erased at the end. */
export function startProgress(stream: { write(text: string): boolean; columns?: number | undefined }): Progress {
  let text = "";
  let isVisible = false;
  const draw = () => {
    isVisible = true;
    // A line that wraps could not be erased.
    stream.write(`\r\u001b[K${quote(text, Math.max(1, (stream.columns ?? 80) - 2))}`);
  };
  let timer: NodeJS.Timeout | undefined;
  return {
    show(next) {
      text = next;
      timer ??= setTimeout(draw, SHOWN_AFTER_MS).unref();
      if (isVisible) draw();
    },
    end() {
      clearTimeout(timer);
      timer = undefined;
      if (isVisible) stream.write("\r\u001b[K");
      isVisible = false;
    },
  };
}
