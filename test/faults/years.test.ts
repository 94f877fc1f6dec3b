import { test } from "vitest";
import { liveYears } from "../simulation/live";

// The seed is another one each time, and printed with the story where a promise is broken.
const CENTURIES = Number(process.env["IPCHECK_TEST_CENTURIES"] ?? 20);
test.each(Array.from({ length: CENTURIES }, (_, century) => century))(
  "years in the life of a home, century %d",
  () => liveYears(100, Math.floor(Math.random() * 2 ** 31)),
  600_000,
);
