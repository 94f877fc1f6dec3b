import { test } from "vitest";
import { liveYears } from "../simulation/live";

const CENTURIES = Number(process.env["IPCHECK_TEST_CENTURIES"] ?? 20);
// The same years each time, so that a red test is the change's doing; another seed finds what these do not hold.
const SEED = Number(process.env["IPCHECK_TEST_SEED"] ?? 1);
test.each(Array.from({ length: CENTURIES }, (_, century) => SEED * 1000 + century))(
  "a hundred years in the life of a home, seed %d",
  (seed) => liveYears(100, seed),
  600_000,
);
