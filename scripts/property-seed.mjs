// Read by mocha before the tests: what is drawn at random in them is the same in every run of a
// commit, so that a failure is a failure for everybody. FC_SEED=<number> draws otherwise;
// FC_SEED=random draws anew each time, for whoever goes hunting.
import fc from 'fast-check';

const wanted = process.env.FC_SEED ?? '20261122';
if (wanted !== 'random') {
  const seed = Number(wanted);
  if (!Number.isInteger(seed)) throw new Error(`FC_SEED is a whole number or the word random, got ${wanted}`);
  fc.configureGlobal({ ...fc.readConfigureGlobal(), seed });
}
