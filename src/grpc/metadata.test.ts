import assert from 'node:assert/strict';
import fc from 'fast-check';
import { Field } from '../http2/hpack/field.js';
import { decodeBinary, Metadata } from './metadata.js';

type Pair = readonly [name: string, value: string];
const of = (...pairs: readonly Pair[]): Metadata => new Metadata(pairs.map(([name, value]) => new Field(name, value)));

describe('metadata', () => {
  it('gives the first value of a name', () => {
    const metadata = of(['a', '1'], ['b', '2, 3'], ['a', '4']);
    assert.deepEqual([metadata.get('a'), metadata.get('b'), metadata.get('c')], ['1', '2, 3', undefined]);
  });

  it('-bin is bytes, with padding or without, the first of a list', () => {
    const metadata = of(['p-bin', 'AQ=='], ['u-bin', 'AQ'], ['l-bin', 'AQI=, AwQF,'], ['e-bin', '']);
    assert.deepEqual(metadata.bytes('p-bin'), Uint8Array.of(1));
    assert.deepEqual(metadata.bytes('u-bin'), Uint8Array.of(1));
    assert.deepEqual(metadata.bytes('l-bin'), Uint8Array.of(1, 2));
    assert.deepEqual(metadata.bytes('e-bin'), Uint8Array.of());
    assert.equal(metadata.bytes('none-bin'), undefined);
    assert.equal(metadata.malformed(), undefined);
  });

  it('any bytes come through, with padding or without', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
      const padded = Buffer.from(bytes).toString('base64');
      assert.deepEqual(decodeBinary(padded), bytes);
      assert.deepEqual(decodeBinary(padded.replace(/=+$/, '')), bytes);
    }));
  });

  it('-bin that is not base64 is found, in a list too', () => {
    for (const value of ['A', 'A===', 'AQ=', 'A-_=', '=AQ=', 'AQ==AQ==', 'AQ==, é']) assert.equal(of(['x-bin', value]).malformed()?.value, value, value);
    assert.equal(of(['x', 'A']).malformed(), undefined, 'only -bin is bytes');
  });
});
