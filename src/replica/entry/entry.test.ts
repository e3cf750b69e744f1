import assert from 'node:assert/strict';
import fc from 'fast-check';
import { EMPTY, utf8 } from '../../base/bytes.js';
import { atOnce } from '../../base/drive.js';
import { codeOf } from '../../base/errors.js';
import { DEFAULT_TREE_SETTINGS } from '../../storage/base/settings.js';
import { put } from '../../api/testing/requests.js';
import type { KvCommand } from '../kv/command.js';
import {
  decodeLogRecord, encodeBootstrap, encodeClusterVersion, encodeKv, encodeKvInSlices, encodeTreeOp, isCopySound, sizeOfCommand,
} from './entry.js';
import { EntryError } from './errors.js';
import { sealed } from './testing/sealed.js';

const ENTRIES = [
  encodeBootstrap(DEFAULT_TREE_SETTINGS),
  encodeKv({ member: 7, incarnation: 2, sequence: 9 }, { kind: 'put', request: put('key', 'value') }),
  encodeTreeOp({ kind: 'seal', proposer: 7, format: DEFAULT_TREE_SETTINGS.format }),
  encodeClusterVersion(3),
];

const isSound = (data: Uint8Array): boolean => isCopySound({ type: 'normal', index: 1, term: 1, data });

describe('entries of the log', () => {
  it('S1 read back as what they were', () => {
    assert.deepEqual(ENTRIES.map((data) => decodeLogRecord(data).kind), ['bootstrap', 'kv', 'tree', 'cluster-version']);
    const [, kv] = ENTRIES.map(decodeLogRecord);
    assert.ok(kv?.kind === 'kv' && kv.command.kind === 'put');
    assert.deepEqual(kv.id, { member: 7, incarnation: 2, sequence: 9 });
    assert.deepEqual(decodeLogRecord(encodeClusterVersion(3)), { kind: 'cluster-version', version: 3 });
  });

  it('C1 an entry made in slices is the one that is made at once', () => {
    const id = { member: 7, incarnation: 2, sequence: 9 };
    const long = new Uint8Array(300_000).fill(7);
    const compare = { result: 'equal', target: { kind: 'value', value: long }, key: utf8('k'), rangeEnd: EMPTY } as const;
    const inner = { kind: 'put', request: { ...put('x', 'y'), value: long } } as const;
    const nested = { kind: 'txn', request: { compare: [], success: [inner], failure: [] } } as const;
    const requests: KvCommand[] = [
      { kind: 'put', request: { ...put('key', ''), value: long, lease: 77n } },
      { kind: 'txn', request: { compare: [compare], success: [nested], failure: [{ kind: 'put', request: put('a', 'b') }] } },
      { kind: 'delete-range', request: { key: long.subarray(0, 70_000), rangeEnd: long.subarray(0, 65_536), prevKv: true } },
    ];
    for (const command of requests) {
      const data = atOnce(encodeKvInSlices(id, command));
      assert.deepEqual(Buffer.from(data), Buffer.from(encodeKv(id, command)));
      assert.ok(sizeOfCommand(command) >= data.length && sizeOfCommand(command) < data.length + 1_000);
    }
  });

  it('S1 no flipped bit and no cut passes for what the proposer made', () => {
    for (const data of ENTRIES) {
      assert.ok(isSound(data));
      assert.ok(!isCopySound({ type: 'confChange', index: 1, term: 1, data }));
      for (let bit = 0; bit < 8 * data.length; bit++) {
        const bad = data.slice();
        bad[bit >> 3] = (bad[bit >> 3] as number) ^ (1 << (bit & 7));
        assert.throws(() => decodeLogRecord(bad), (error) => codeOf(error) === 'ENTRY_DAMAGED', `bit ${bit}`);
      }
      for (let length = 1; length < data.length; length++) assert.equal(isSound(data.subarray(0, length)), false);
    }
  });

  it('S1 what a later program has written is told from what is damaged', () => {
    for (const data of [sealed(99, 1), sealed(2, 9), sealed(2, 1), sealed(11, 1, Uint8Array.of(1, 0))]) {
      assert.throws(() => decodeLogRecord(data), (error) => error instanceof EntryError && error.code === 'ENTRY_UNKNOWN');
    }
  });

  it('arbitrary bytes are an EntryError, whatever they say', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 60 }), fc.nat(15), fc.nat(2), (body, kind, format) => {
      for (const data of [body, sealed(kind, format, body)]) {
        try {
          decodeLogRecord(data);
        } catch (error) {
          assert.ok(error instanceof EntryError, String(error));
        }
      }
    }));
  });
});
