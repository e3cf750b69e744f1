import assert from 'node:assert/strict';
import fc from 'fast-check';
import { KiB, MiB } from '../../base/bytes.js';
import { MAX_ENTRY_BYTES } from '../../replica/base/limits.js';
import { layoutOf } from '../../replica/log/segment-layout.js';
import { buildConfig } from './config.js';
import { deriveLimits, describeLimits, limitNotices, type LimitedOptions } from './limits.js';
import { parseOptions } from './parse.js';
import { UsageError } from './spec.js';

const DEFAULTS: LimitedOptions = {
  maxRequestBytes: 1_572_864, electionMs: 1_000, logSegmentBytes: 16 * MiB, blockBytes: 16 * KiB, tableBytes: 8 * MiB,
  memtableBytes: 64 * MiB, cacheBytes: 64 * MiB,
};

function refused(changed: Partial<LimitedOptions>, message: RegExp): void {
  const refusal = (error: unknown): boolean => error instanceof UsageError && message.test(error.message);
  assert.throws(() => deriveLimits({ ...DEFAULTS, ...changed }), refusal);
}

describe('limits of a member', () => {
  it('the defaults work together, and nothing is said of them', () => {
    const { limits, notices } = buildConfig(parseOptions([], {}));
    assert.deepEqual([limits.request, limits.received, limits.segment], [1_572_864, 1_572_864 + 512 * KiB, 16 * MiB]);
    assert.deepEqual(notices, []);
  });

  it('C1 what cannot work together is refused, with the flags and what to do', () => {
    refused({ maxRequestBytes: 64 * MiB + 1 }, /^--max-request-bytes 67108865 is more than .*: at most 67108864$/);
    refused({ logSegmentBytes: 100_000 }, /^--experimental-log-segment-bytes 100000 is not a multiple of 4096: use 98304 or 102400$/);
    refused({ blockBytes: 64 * KiB, tableBytes: 32 * KiB }, /^--block-bytes 65536 must be at most --experimental-table-bytes 32768/);
    refused({ maxRequestBytes: 64 * MiB, electionMs: 300 }, /^--max-request-bytes 67108864 may hold a member for 384ms, longer than --election-timeout 300ms: raise/);
    assert.throws(() => buildConfig(parseOptions(['--experimental-log-segment-bytes=100000'], {})), UsageError);
  });

  it('what works and may surprise is said', () => {
    const said = limitNotices({ ...DEFAULTS, maxRequestBytes: 64 * MiB, cacheBytes: 32 * MiB });
    assert.match(said[0] ?? '', /--election-timeout of at least 2304ms is safe$/);
    assert.match(said[1] ?? '', /^--cache-bytes 33554432 is less than/);
    assert.deepEqual(limitNotices({ ...DEFAULTS, maxRequestBytes: 64 * MiB, electionMs: 2_304 }), []);
  });

  it('C1 peers, log and blocks take the largest request of any member, whatever this one takes itself', () => {
    const [small, large] = [deriveLimits({ ...DEFAULTS, maxRequestBytes: KiB }), deriveLimits({ ...DEFAULTS, maxRequestBytes: 64 * MiB })];
    for (const key of ['entry', 'largestSegment', 'peerMessage', 'peerQueue', 'block'] as const) assert.equal(small[key], large[key], key);
  });

  it('C1 whatever is not refused has room for the largest entry everywhere', () => {
    const options = fc.record({
      maxRequestBytes: fc.integer({ min: KiB, max: 64 * MiB }), electionMs: fc.integer({ min: 1, max: 50_000 }),
      logSegmentBytes: fc.integer({ min: 16, max: 262_144 }).map((pages) => pages * 4096), blockBytes: fc.integer({ min: KiB, max: MiB }),
      tableBytes: fc.integer({ min: 16 * KiB, max: 1024 * MiB }), memtableBytes: fc.integer({ min: 16 * KiB, max: 1024 * MiB }),
      cacheBytes: fc.integer({ min: MiB, max: 1024 * MiB }),
    });
    fc.assert(fc.property(options, (drawn) => {
      let limits;
      try {
        limits = deriveLimits(drawn);
      } catch (error) {
        assert.ok(error instanceof UsageError);
        return;
      }
      const { dataStart, dataEnd } = layoutOf(limits.largestSegment);
      assert.ok(dataEnd - dataStart > MAX_ENTRY_BYTES && limits.peerMessage > MAX_ENTRY_BYTES && limits.block > MAX_ENTRY_BYTES);
      assert.ok(limits.request <= limits.received && limits.request < limits.entry && limits.peerQueue >= limits.peerMessage);
    }));
  });

  it('--check prints them', () => {
    const text = describeLimits(deriveLimits(DEFAULTS));
    assert.match(text, /^limit: write request, 1572864 bytes$/m);
    assert.match(text, /^limit: message between members, 71303168 bytes$/m);
  });
});
