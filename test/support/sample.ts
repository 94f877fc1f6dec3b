/** Whether the long tables are run whole, as `npm run test:faults` does. */
export const IS_LONG = process.env["IPCHECK_LONG"] === "1";

/** A long table's rows: all of them, or `count` that are spread over it in `npm test`. */
export function sample<T>(rows: readonly T[], count: number): T[] {
  const step = Math.max(1, rows.length / count);
  return rows.filter((_, index) => IS_LONG || index === Math.floor(Math.round(index / step) * step));
}
