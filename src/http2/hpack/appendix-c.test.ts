import assert from 'node:assert/strict';
import { toHex } from '../../base/bytes.js';
import { HpackDecoder } from './decoder.js';
import { HpackEncoder } from './encoder.js';
import { HeaderList } from './header-list.js';
import { decodeAll, tableOf } from './testing/collect.js';
import type { Pair } from './testing/plain-hpack.js';

/** A block of an example, what it says, and the table after it, the newest field first. */
interface Example {
  readonly hex: string;
  readonly fields: readonly Pair[];
  readonly table: readonly Pair[];
}

const bytesOf = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex.replaceAll(' ', ''), 'hex'));

const AUTHORITY: Pair = [':authority', 'www.example.com'];
const NO_CACHE: Pair = ['cache-control', 'no-cache'];
const CUSTOM: Pair = ['custom-key', 'custom-value'];

const REQUESTS: readonly (readonly Pair[])[] = [
  [[':method', 'GET'], [':scheme', 'http'], [':path', '/'], AUTHORITY],
  [[':method', 'GET'], [':scheme', 'http'], [':path', '/'], AUTHORITY, NO_CACHE],
  [[':method', 'GET'], [':scheme', 'https'], [':path', '/index.html'], AUTHORITY, CUSTOM],
];
const REQUEST_TABLES: readonly (readonly Pair[])[] = [[AUTHORITY], [NO_CACHE, AUTHORITY], [CUSTOM, NO_CACHE, AUTHORITY]];

const PRIVATE: Pair = ['cache-control', 'private'];
const DATE_21: Pair = ['date', 'Mon, 21 Oct 2013 20:13:21 GMT'];
const DATE_22: Pair = ['date', 'Mon, 21 Oct 2013 20:13:22 GMT'];
const LOCATION: Pair = ['location', 'https://www.example.com'];
const GZIP: Pair = ['content-encoding', 'gzip'];
const COOKIE: Pair = ['set-cookie', 'foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1'];

const RESPONSES: readonly (readonly Pair[])[] = [
  [[':status', '302'], PRIVATE, DATE_21, LOCATION],
  [[':status', '307'], PRIVATE, DATE_21, LOCATION],
  [[':status', '200'], PRIVATE, DATE_22, LOCATION, GZIP, COOKIE],
];
const RESPONSE_TABLES: readonly (readonly Pair[])[] = [
  [LOCATION, DATE_21, PRIVATE, [':status', '302']],
  [[':status', '307'], LOCATION, DATE_21, PRIVATE],
  [COOKIE, GZIP, DATE_22],
];

const PLAIN_REQUESTS = [
  '8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d',
  '8286 84be 5808 6e6f 2d63 6163 6865',
  '8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65',
];
const CODED_REQUESTS = [
  '8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff',
  '8286 84be 5886 a8eb 1064 9cbf',
  '8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf',
];
const PLAIN_RESPONSES = [
  '4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3120 474d 54' +
    '6e 1768 7474 7073 3a2f 2f77 7777 2e65 7861 6d70 6c65 2e63 6f6d',
  '4803 3330 37c1 c0bf',
  '88c1 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3220 474d 54c0 5a04 677a 6970 7738 666f 6f3d' +
    '4153 444a 4b48 514b 425a 584f 5157 454f 5049 5541 5851 5745 4f49 553b 206d 6178 2d61 6765 3d33 3630 303b 2076' +
    '6572 7369 6f6e 3d31',
];
const CODED_RESPONSES = [
  '4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e 919d 29ad 1718 63c7 8f0b' +
    '97c8 e9ae 82ae 43d3',
  '4883 640e ffc1 c0bf',
  '88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad 94e7 821d d7f2 e6c7 b335 dfdf' +
    'cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed 4ee5 b106 3d50 07',
];

const examples = (blocks: readonly string[], fields: readonly (readonly Pair[])[], tables: readonly (readonly Pair[])[]): Example[] =>
  blocks.map((hex, i) => ({ hex, fields: fields[i] ?? [], table: tables[i] ?? [] }));

describe('RFC 7541, appendix C', () => {
  const SINGLE: readonly (readonly [section: string, example: Example])[] = [
    ['C.2.1', {
      hex: '400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572',
      fields: [['custom-key', 'custom-header']],
      table: [['custom-key', 'custom-header']],
    }],
    ['C.2.2', { hex: '040c 2f73 616d 706c 652f 7061 7468', fields: [[':path', '/sample/path']], table: [] }],
    ['C.2.3', { hex: '1008 7061 7373 776f 7264 0673 6563 7265 74', fields: [['password', 'secret']], table: [] }],
    ['C.2.4', { hex: '82', fields: [[':method', 'GET']], table: [] }],
  ];
  for (const [section, { hex, fields, table }] of SINGLE) {
    it(`${section} is read as it says`, () => {
      const decoder = new HpackDecoder();
      assert.deepEqual(decodeAll(decoder, bytesOf(hex)), fields);
      assert.deepEqual(tableOf(decoder), table);
    });
  }

  const SERIES: readonly (readonly [section: string, maxTableBytes: number, examples: readonly Example[]])[] = [
    ['C.3', 4096, examples(PLAIN_REQUESTS, REQUESTS, REQUEST_TABLES)],
    ['C.4', 4096, examples(CODED_REQUESTS, REQUESTS, REQUEST_TABLES)],
    ['C.5', 256, examples(PLAIN_RESPONSES, RESPONSES, RESPONSE_TABLES)],
    ['C.6', 256, examples(CODED_RESPONSES, RESPONSES, RESPONSE_TABLES)],
  ];
  for (const [section, maxTableBytes, blocks] of SERIES) {
    it(`${section} is read as it says, on one connection`, () => {
      for (let n = 1; n <= blocks.length; n++) {
        const decoder = new HpackDecoder(maxTableBytes);
        for (const { hex, fields } of blocks.slice(0, n)) assert.deepEqual(decodeAll(decoder, bytesOf(hex)), fields);
        assert.deepEqual(tableOf(decoder), blocks[n - 1]?.table);
      }
    });
  }

  it('C.4 is what our encoder writes', () => {
    const encoder = new HpackEncoder();
    const blocks = REQUESTS.map((fields) => toHex(encoder.encode(HeaderList.of(...fields))));
    assert.deepEqual(blocks, CODED_REQUESTS.map((hex) => hex.replaceAll(' ', '')));
  });

  it('C.6.1 is what our encoder writes, after it said that it uses no more than 256 bytes', () => {
    const encoder = new HpackEncoder();
    encoder.setPeerTableBytes(256);
    const block = encoder.encode(HeaderList.of(...(RESPONSES[0] ?? [])));
    assert.equal(toHex(block), `3fe101${CODED_RESPONSES[0]?.replaceAll(' ', '')}`);
  });

  it('C.2.2 and C.2.4 are what a list for one answer looks like, but for the code of its texts', () => {
    assert.equal(toHex(new HpackEncoder().encode(HeaderList.once([':method', 'GET']))), '82');
    const path = new HpackEncoder().encode(HeaderList.once([':path', '/sample/path']));
    assert.equal(toHex(path.subarray(0, 1)), '04');
    assert.deepEqual(decodeAll(new HpackDecoder(), path), [[':path', '/sample/path']]);
  });
});
