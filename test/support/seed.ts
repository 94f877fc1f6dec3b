import fc from "fast-check";

// A property draws the same values each time, so that a red test is the change's doing; another seed looks further.
fc.configureGlobal({ seed: Number(process.env["IPCHECK_TEST_SEED"] ?? 1) });
