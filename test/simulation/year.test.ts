import { test } from "vitest";
import { live, liveYears } from "./live";
import { STORIES } from "./stories";

test.each(STORIES)("%s", (_, story) => live(story));

test("fifty years in the life of a home", () => liveYears(50, 1), 300_000);
