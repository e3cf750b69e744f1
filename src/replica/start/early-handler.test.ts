import assert from 'node:assert/strict';
import type { Network, NetworkHandler } from '../../base/env.js';
import { codeOf } from '../../base/errors.js';
import type { TableServer } from '../fetch/table-server.js';
import { TABLE_REGIONS_METHOD } from '../fetch/table-wire.js';
import { EarlyHandler } from './early-handler.js';

describe('what peers reach before there is a replica', () => {
  let starts: number;
  let early: EarlyHandler;
  const answer = (byte: number) => () => Promise.resolve(Uint8Array.of(byte));
  const server = { answer: answer(1) } as unknown as TableServer;
  const frames: number[] = [];
  const nothing = (): void => undefined;
  const onFrame = (from: number): void => void frames.push(from);
  const replica: NetworkHandler = { onFrame, onCall: answer(2), onDisconnect: nothing, onRemoved: nothing };
  const call = (method: string): Promise<Uint8Array> => early.onCall(2, method, new Uint8Array(0));
  const isClosed = (error: unknown): boolean => codeOf(error) === 'CLOSED';

  beforeEach(() => {
    starts = 0;
    frames.length = 0;
    early = new EarlyHandler({ start: async () => void starts++, stop: () => Promise.resolve() } as unknown as Network);
  });

  it('D1 tables are served while a version is regained, and nothing else', async () => {
    await early.listen();
    await assert.rejects(call(TABLE_REGIONS_METHOD), isClosed);
    early.serveTables(server);
    early.onFrame(2, new Uint8Array(1));
    assert.deepEqual(await call(TABLE_REGIONS_METHOD), Uint8Array.of(1));
    await assert.rejects(call('other'), isClosed);
    early.endTables();
    await assert.rejects(call(TABLE_REGIONS_METHOD), isClosed);
    assert.deepEqual([starts, frames], [1, []]);
  });

  it('R5 the replica answers from its start to its end, and nobody in its place', async () => {
    await early.replaceBy(replica);
    await early.listen();
    early.onFrame(3, new Uint8Array(1));
    assert.deepEqual(await call(TABLE_REGIONS_METHOD), Uint8Array.of(2));
    assert.throws(() => early.serveTables(server), /R5/);
    assert.throws(() => early.endTables(), /R5/);
    assert.deepEqual([starts, frames], [1, [3]]);
  });
});
