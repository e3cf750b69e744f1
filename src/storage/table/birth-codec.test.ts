import { strict as assert } from 'node:assert';
import { ByteReader, ByteWriter, toHex } from '../../base/bytes.js';
import { CodecError } from '../../base/errors.js';
import { readBirth, readFixedBirth, writeBirth, writeFixedBirth } from './birth-codec.js';
import { sameBirth } from './table-meta.js';

describe('bytes of a birth', () => {
  const birth = { term: 3, proposer: 2 ** 40 + 1, sequence: 300, ordinal: 0 };

  it('S2 are what they always were', () => {
    const short = new ByteWriter();
    writeBirth(short, birth);
    assert.equal(toHex(short.finish()), '03818080808020ac0200');
    const fixed = new ByteWriter();
    writeFixedBirth(fixed, birth);
    assert.equal(toHex(fixed.finish()), '03000000000000000100000000010000' + '2c010000000000000000000000000000');
  });

  it('read back, and what ends early is a CodecError', () => {
    for (const [write, read] of [[writeBirth, readBirth], [writeFixedBirth, readFixedBirth]] as const) {
      const out = new ByteWriter();
      write(out, birth);
      const bytes = out.finish();
      assert(sameBirth(read(new ByteReader(bytes, 'birth')), birth));
      assert.throws(() => read(new ByteReader(bytes.subarray(0, bytes.length - 1), 'birth')), CodecError);
    }
  });
});
