import assert from 'node:assert/strict';
import fc from 'fast-check';
import { AssertionError } from '../base/assert.js';
import { ReceiveWindow } from './receive-window.js';
import { SendWindows } from './send-windows.js';

const MAX = 0x7fff_ffff;

describe('a receive window', () => {
  it('never lets more in than the peer was allowed, and never lets it starve', () => {
    const moves = fc.array(fc.tuple(fc.boolean(), fc.nat(1_000)), { maxLength: 100 });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 2_000 }), moves, (size, all) => {
        const window = new ReceiveWindow(size);
        let allowed = size;
        let held = 0;
        for (const [comes, n] of all) {
          if (comes) {
            assert.equal(window.take(n), n <= allowed);
            if (n > allowed) continue;
            allowed -= n;
            held += n;
          } else {
            const used = Math.min(n, held);
            held -= used;
            allowed += window.give(used);
          }
          assert.equal(window.held, held);
          assert.ok(held > 0 || allowed * 2 > size, 'the peer may send when nothing is held');
        }
      }),
    );
  });

  it('what did not come cannot be used up', () => {
    const window = new ReceiveWindow(10);
    window.take(5);
    assert.throws(() => window.give(6), AssertionError);
  });
});

describe('send windows', () => {
  it('are the smaller of both, grow to 2^31-1 and no further, and follow the initial one below zero', () => {
    const windows = new SendWindows();
    const stream = { windowOffset: 0 };
    assert.equal(windows.room(stream), 65_535);
    windows.take(stream, 60_000);
    assert.ok(windows.growStream(stream, 1_000));
    assert.deepEqual([windows.connection, windows.ofStream(stream), windows.room(stream)], [5_535, 6_535, 5_535]);
    assert.ok(windows.setInitial(0, [stream]));
    assert.deepEqual([windows.ofStream(stream), windows.room(stream)], [-59_000, -59_000]);
    assert.ok(!windows.setInitial(MAX, [stream, { windowOffset: 1 }]));
    assert.equal(windows.ofStream(stream), -59_000, 'what is refused changes nothing');
    assert.ok(!windows.grow(MAX - 5_534) && windows.grow(MAX - 5_535));
    assert.ok(!windows.growStream(stream, MAX + 59_001) && windows.growStream(stream, MAX + 59_000));
    assert.equal(windows.room(stream), MAX);
  });
});
