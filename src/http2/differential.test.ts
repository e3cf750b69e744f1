import { seededRandom } from '../base/testing/seeded-random.js';
import { FUZZ_LIMITS, tryCase } from './testing/fuzz/case.js';
import { NodeServer } from './testing/fuzz/node-oracle.js';
import { SessionMaker } from './testing/fuzz/sessions.js';

const CASES = 150;

/** `npm run fuzz:http2` goes on for as long as it is told. */
describe('sessions of a client, valid and broken', () => {
  it('end here as they do with node:http2, whose client understands the answers', async () => {
    const node = new NodeServer(FUZZ_LIMITS);
    for (let n = 0; n < CASES; n++) {
      const maker = new SessionMaker(seededRandom(n));
      await tryCase(maker.next(), maker.cuts(), node);
    }
  });
});
