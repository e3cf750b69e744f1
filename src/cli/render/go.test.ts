import assert from 'node:assert/strict';
import { goBytes, goDuration, goJson, goQuote, goUnquote, nonZero, parseGoDuration } from './go.js';
import { boxTable } from './table.js';

describe('text as Go writes it', () => {
  it('JSON has bytes in base64, whole 64-bit numbers, escaped markup, and no undefined fields', () => {
    assert.equal(goJson({ id: 17495100640981928781n, key: Buffer.from('a'), none: undefined, text: '<&>', list: [1, true] }),
      '{"id":17495100640981928781,"key":"YQ==","text":"\\u003c\\u0026\\u003e","list":[1,true]}');
    assert.deepEqual([nonZero(0), nonZero(0n), nonZero(''), nonZero(false), nonZero([]), nonZero(3)], [undefined, undefined, undefined, undefined, undefined, 3]);
  });

  it('%q escapes what is not printable or not UTF-8, and is undone by unquoting', () => {
    const bytes = Buffer.concat([Buffer.from('b\nc"\\\té'), Buffer.from([1, 0xff])]);
    assert.equal(goQuote(bytes), '"b\\nc\\"\\\\\\té\\x01\\xff"');
    assert.deepEqual(Buffer.from(goUnquote(goQuote(bytes)) ?? []), bytes);
    assert.equal(goUnquote('"unfinished'), undefined);
    assert.equal(goUnquote('"bad \\q"'), undefined);
    assert.equal(Buffer.from(goUnquote('`raw \\n`') ?? []).toString(), 'raw \\n');
  });

  it('durations and sizes', () => {
    assert.deepEqual([goDuration(1.888838), goDuration(5001.031399), goDuration(0.0005), goDuration(90_500)], ['1.888838ms', '5.001031399s', '500ns', '1m30.5s']);
    assert.deepEqual([parseGoDuration('5s'), parseGoDuration('1m30s'), parseGoDuration('250ms'), parseGoDuration('5')], [5000, 90_000, 250, undefined]);
    assert.deepEqual([goBytes(0), goBytes(20480), goBytes(1_500_000)], ['0 B', '20 kB', '1.5 MB']);
  });

  it('tables are drawn as etcdctl draws them', () => {
    assert.equal(boxTable(['ID', 'status'], [['69b3', 'started']]),
      '+------+---------+\n|  ID  | STATUS  |\n+------+---------+\n| 69b3 | started |\n+------+---------+\n');
  });
});
