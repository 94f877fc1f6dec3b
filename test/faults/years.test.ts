import { test } from "vitest";
import { liveYears } from "../simulation/live";

// The seed is another one each time, and printed with the story where a promise is broken.
test.each(Array.from({ length: 20 }, (_, century) => century))(
  "years in the life of a home, century %d",
  () => liveYears(100, Math.floor(Math.random() * 2 ** 31)),
  600_000,
);
