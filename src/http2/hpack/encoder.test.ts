import assert from 'node:assert/strict';
import fc from 'fast-check';
import { toHex } from '../../base/bytes.js';
import { HpackDecoder } from './decoder.js';
import { HpackEncoder } from './encoder.js';
import { HeaderList } from './header-list.js';
import { decodeAll, tableOf } from './testing/collect.js';
import { PlainDecoder, type Pair } from './testing/plain-hpack.js';

const HEAD: readonly Pair[] = [[':status', '200'], ['content-type', 'application/grpc']];
const TRAILERS: readonly Pair[] = [['grpc-status', '0'], ['grpc-message', '']];

describe('HpackEncoder', () => {
  it('says a list whole once, then by indexes alone, then by the same bytes', () => {
    const encoder = new HpackEncoder();
    const decoder = new HpackDecoder();
    const list = HeaderList.of(...HEAD);
    const blocks = [1, 2, 3, 4].map(() => encoder.encode(list));
    for (const block of blocks) assert.deepEqual(decodeAll(decoder, block), HEAD);
    assert.equal(toHex(blocks[1] ?? new Uint8Array(0)), '88be');
    assert.equal(blocks[2], blocks[1]);
    assert.equal(blocks[3], blocks[1]);
  });

  it('lists in any order mean what they say, and settle to the same bytes', () => {
    const lists = [HeaderList.of(...HEAD), HeaderList.of(...TRAILERS), HeaderList.of(...HEAD, ...TRAILERS)];
    const pairs = [HEAD, TRAILERS, [...HEAD, ...TRAILERS]];
    fc.assert(
      fc.property(fc.array(fc.nat(2), { minLength: 1, maxLength: 20 }), (order) => {
        const encoder = new HpackEncoder();
        const decoder = new HpackDecoder();
        const encode = (n: number): Uint8Array => {
          const block = encoder.encode(lists[n] as HeaderList);
          assert.deepEqual(decodeAll(decoder, block), pairs[n]);
          return block;
        };
        for (const n of [...order, 0, 1, 2, 0, 1, 2]) encode(n);
        const { generation } = decoder;
        for (const n of [0, 1, 2]) assert.equal(encode(n), encode(n));
        assert.equal(decoder.generation, generation);
      }),
    );
  });

  it('equal fields of several lists are in the table once', () => {
    const encoder = new HpackEncoder();
    const decoder = new HpackDecoder();
    for (const status of ['0', '5', '14']) {
      const list = HeaderList.of(...HEAD, ['grpc-status', status]);
      assert.deepEqual(decodeAll(decoder, encoder.encode(list)), [...HEAD, ['grpc-status', status]]);
    }
    assert.deepEqual(tableOf(decoder), [
      ['grpc-status', '14'],
      ['grpc-status', '5'],
      ['grpc-status', '0'],
      ['content-type', 'application/grpc'],
    ]);
  });

  it("an answer's own texts never enter the table, and its bytes are the same on every connection", () => {
    const list = HeaderList.once(...HEAD, ['grpc-message', 'etcdserver: too many requests']);
    const [encoder, other] = [new HpackEncoder(), new HpackEncoder()];
    encoder.encode(HeaderList.of(...HEAD));
    const decoder = new HpackDecoder();
    const block = encoder.encode(list);
    assert.deepEqual(decodeAll(decoder, block), [...HEAD, ['grpc-message', 'etcdserver: too many requests']]);
    assert.equal(decoder.generation, 0);
    assert.equal(other.encode(list), block);
  });

  it('a field for which there is no more room is said anew each time, and drives out nothing', () => {
    const encoder = new HpackEncoder();
    const decoder = new HpackDecoder();
    const lists: Pair[][] = Array.from({ length: 10 }, (_, i) => [[`name-${i}`, 'v'.repeat(600)]]);
    const made = lists.map((pairs) => HeaderList.of(...pairs));
    for (let round = 0; round < 3; round++) {
      made.forEach((list, i) => assert.deepEqual(decodeAll(decoder, encoder.encode(list)), lists[i]));
    }
    assert.deepEqual(tableOf(decoder), lists.slice(0, 6).reverse().flat());
    const last = made[9] as HeaderList;
    assert.equal(encoder.encode(last), encoder.encode(last));
  });

  it('a peer without a table is sent nothing to remember', () => {
    const encoder = new HpackEncoder();
    const decoder = new PlainDecoder();
    encoder.setPeerTableBytes(0);
    const list = HeaderList.of(...HEAD);
    const first = encoder.encode(list);
    assert.equal(first[0], 0x20);
    assert.deepEqual(decoder.decode(first), HEAD);
    const second = encoder.encode(list);
    assert.deepEqual(decoder.decode(second), HEAD);
    assert.deepEqual(decoder.table.fields, []);
    assert.equal(encoder.encode(list), second);
  });

  describe('RFC 7541, 4.2: changes of the table', () => {
    const list = HeaderList.of(...HEAD);

    /** The size updates at the start of the next block. */
    function updates(encoder: HpackEncoder, decoder: PlainDecoder, ...limits: readonly number[]): string {
      for (const limit of limits) encoder.setPeerTableBytes(limit);
      const block = encoder.encode(list);
      assert.deepEqual(decoder.decode(block), HEAD);
      const hex = toHex(block);
      return hex.slice(0, hex.indexOf('88'));
    }

    it('the smallest and the last are said', () => {
      const encoder = new HpackEncoder();
      const decoder = new PlainDecoder();
      assert.equal(updates(encoder, decoder), '');
      assert.equal(updates(encoder, decoder, 200, 100, 4096), '3f45' + '3fe11f');
      assert.equal(updates(encoder, decoder, 300, 0), '20');
      assert.equal(updates(encoder, decoder, 100), '3f45');
      assert.equal(updates(encoder, decoder, 0, 100), '20' + '3f45');
      assert.equal(updates(encoder, decoder), '');
    });

    it('what changes nothing for us is not said: the default, or more than we use', () => {
      const encoder = new HpackEncoder();
      const decoder = new PlainDecoder();
      assert.equal(updates(encoder, decoder, 4096), '');
      assert.equal(updates(encoder, decoder, 65_536), '');
      assert.equal(updates(encoder, decoder, 2 ** 32 - 1), '');
    });

    it('RFC 9113, 4.3.1: a limit that fell is answered, also above what we use', () => {
      const encoder = new HpackEncoder();
      const decoder = new PlainDecoder(65_536);
      assert.equal(updates(encoder, decoder, 65_536), '');
      assert.equal(updates(encoder, decoder, 8192), '3fe11f');
      assert.equal(updates(encoder, decoder), '');
    });

    it('they are said before a list of one answer too', () => {
      const encoder = new HpackEncoder();
      const once = HeaderList.once(['grpc-status', '5']);
      encoder.setPeerTableBytes(0);
      assert.equal(toHex(encoder.encode(once)).slice(0, 2), '20');
      assert.equal(encoder.encode(once), once.block);
    });

    it('the smallest drives out what the peer drives out, also when the last is large again', () => {
      const encoder = new HpackEncoder();
      const decoder = new PlainDecoder();
      decoder.decode(encoder.encode(list));
      decoder.decode(encoder.encode(HeaderList.of(...TRAILERS)));
      encoder.setPeerTableBytes(100);
      encoder.setPeerTableBytes(4096);
      const block = encoder.encode(HeaderList.of(...TRAILERS));
      assert.deepEqual(decoder.decode(block), TRAILERS);
      assert.deepEqual(decoder.table.fields, [['grpc-message', ''], ['grpc-status', '0']]);
      assert.deepEqual(decoder.decode(encoder.encode(list)), HEAD);
    });
  });

  it('any lists, in any order, with any changes of the table, are read as they are', () => {
    const byte = fc.integer({ min: 0x20, max: 0x7e }).map((code) => String.fromCharCode(code));
    const value = fc.oneof(fc.constantFrom('', '0', '200', 'application/grpc'), fc.string({ unit: byte, maxLength: 300 }));
    const name = fc.constantFrom(':status', 'content-type', 'grpc-status', 'grpc-message', 'grpc-status-details-bin', 'x-a', 'x-b');
    const list = fc.record({ pairs: fc.array(fc.tuple(name, value), { maxLength: 5 }), once: fc.boolean() });
    const limit = fc.oneof(fc.constantFrom(0, 40, 4096, 65_536), fc.nat(5000));
    const step = fc.oneof({ weight: 4, arbitrary: fc.record({ list: fc.nat(9) }) }, { weight: 1, arbitrary: fc.record({ limit }) });
    fc.assert(
      fc.property(fc.array(list, { minLength: 10, maxLength: 10 }), fc.array(step, { maxLength: 60 }), (plans, steps) => {
        const lists = plans.map(({ pairs, once }) => (once ? HeaderList.once(...pairs) : HeaderList.of(...pairs)));
        const encoder = new HpackEncoder();
        // What each of them may think: the peer's limit is never above these.
        const [decoder, plain] = [new HpackDecoder(65_536), new PlainDecoder(65_536)];
        for (const action of steps) {
          if ('limit' in action) {
            encoder.setPeerTableBytes(action.limit);
            continue;
          }
          const block = encoder.encode(lists[action.list] as HeaderList);
          assert.deepEqual(plain.decode(block), plans[action.list]?.pairs);
          assert.deepEqual(decodeAll(decoder, block), plans[action.list]?.pairs);
        }
      }),
      { numRuns: 300 },
    );
  });

  it('never uses more of the table than the peer allows', () => {
    const lists = Array.from({ length: 40 }, (_, i) => HeaderList.of([`x-${i}`, `${i}`.repeat(i)]));
    const step = fc.oneof(fc.record({ list: fc.nat(39) }), fc.record({ limit: fc.nat(4096) }));
    fc.assert(
      fc.property(fc.array(step, { maxLength: 100 }), (steps) => {
        const encoder = new HpackEncoder();
        const plain = new PlainDecoder();
        let allowed = 4096;
        for (const action of steps) {
          if ('limit' in action) {
            allowed = action.limit;
            encoder.setPeerTableBytes(allowed);
          } else {
            plain.decode(encoder.encode(lists[action.list] as HeaderList));
            assert.ok(plain.table.capacity <= allowed, `${plain.table.capacity} of ${allowed}`);
          }
        }
      }),
    );
  });

  it('does not keep the bytes of ever more lists', () => {
    const encoder = new HpackEncoder();
    const decoder = new HpackDecoder();
    const first = HeaderList.of(...HEAD);
    decodeAll(decoder, encoder.encode(first));
    const kept = encoder.encode(first);
    for (let i = 0; i < 1000; i++) encoder.encode(HeaderList.of([':status', '200']));
    const again = encoder.encode(first);
    assert.notEqual(again, kept);
    assert.deepEqual(decodeAll(decoder, again), HEAD);
  });

  it('what may not be in a field is a bug of the caller', () => {
    for (const [name, value] of [['Upper', ''], ['', ''], ['a b', ''], ['a', 'x\ny'], ['a', '\0'], ['a', '\u0100']] as const) {
      assert.throws(() => HeaderList.of([name, value]), /invariant broken/);
      assert.throws(() => HeaderList.once([name, value]), /invariant broken/);
    }
    assert.deepEqual(new PlainDecoder().decode(HeaderList.once(['a', '\t\u00ff ']).block ?? new Uint8Array(0)), [['a', '\t\u00ff ']]);
  });
});
