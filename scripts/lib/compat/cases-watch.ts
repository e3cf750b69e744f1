/** Watch: what a stream says to every kind of request, and what watchers see. */

import { bytes, put, range, type Case } from './case.js';
import type { Dialogue, Peer, Reply } from './peer.js';

type Fields = Readonly<Record<string, unknown>>;
/** Long enough to be sure that nothing comes. */
const QUIET_MS = 300;

const create = (key: string, end: string, more: Fields = {}): Fields => (
  { create_request: { key: bytes(key), range_end: bytes(end), ...more } });
const cancel = (watch_id: string): Fields => ({ cancel_request: { watch_id } });
const PROGRESS: Fields = { progress_request: {} };

function revisionOf(reply: Reply | undefined): bigint {
  return BigInt((reply?.['header'] as { revision: string } | undefined)?.revision ?? '1');
}

async function on(peer: Peer, talk: (stream: Dialogue) => Promise<void>): Promise<void> {
  const stream = peer.stream('Watch', 'Watch');
  await talk(stream);
  stream.end();
}

const creating: Case = {
  name: 'watch: creating, ids, cancelling',
  service: 'Watch',
  async run(peer) {
    await on(peer, async (stream) => {
      await stream.ask(create('w/a', ''));
      await stream.ask(create('w/', 'w0', { watch_id: '7' }));
      await stream.ask(create('w/', 'w0', { watch_id: '7' }));
      await stream.ask(create('w/b', 'w/a'));
      await stream.ask(create('', '\0'));
      await stream.ask(create('', ''));
      await stream.ask(cancel('7'));
      await stream.ask(cancel('7'), QUIET_MS);
      await stream.ask(cancel('55'), QUIET_MS);
      await stream.ask(create('w/', 'w0', { start_revision: '-1' }), QUIET_MS);
      await stream.ask(create('w/', 'w0', { watch_id: '-9' }), QUIET_MS);
    });
    await on(peer, async (stream) => void (await stream.ask({}, QUIET_MS)));
  },
};

const events: Case = {
  name: 'watch: puts, deletes, transactions, filters, prev_kv',
  service: 'Watch',
  async run(peer) {
    for (const more of [{}, { prev_kv: true }, { filters: ['NOPUT'] }, { filters: ['NODELETE'] }, { filters: ['NOPUT', 'NODELETE'] }]) {
      await on(peer, async (stream) => {
        await stream.ask(create('v/', 'v0', more));
        await peer.quietly('KV', 'Put', put('v/a', '1'));
        await stream.next('put', 600);
        await peer.quietly('KV', 'Put', put('v/a', '2'));
        await stream.next('put again', 600);
        await peer.quietly('KV', 'DeleteRange', range('v/a'));
        await stream.next('delete', 600);
        await peer.quietly('KV', 'Txn', { success: [{ request_put: put('v/b', '1') }, { request_put: put('v/c', '2') }, { request_put: put('elsewhere', '3') }] });
        await stream.next('txn', 600);
        await peer.quietly('KV', 'DeleteRange', range('v/', 'v0'));
        await stream.next('delete of a range', 600);
        await peer.quietly('KV', 'Put', put('u/a', '1'));
        await stream.next('put elsewhere', QUIET_MS);
      });
    }
  },
};

const past: Case = {
  name: 'watch: from the past, the future, a compacted revision',
  service: 'Watch',
  async run(peer) {
    const base = revisionOf(await peer.quietly('KV', 'Put', put('h/a', '1')));
    await peer.quietly('KV', 'Put', put('h/a', '2'));
    await peer.quietly('KV', 'Txn', { success: [{ request_put: put('h/b', '1') }, { request_delete_range: range('h/a') }] });
    await peer.quietly('KV', 'Put', put('h/c', '1'));
    const at = (n: number): string => String(base + BigInt(n));
    for (const more of [{}, { prev_kv: true }, { filters: ['NODELETE'] }]) {
      for (const n of [0, 1, 2, 3]) {
        await on(peer, async (stream) => {
          await stream.ask(create('h/', 'h0', { start_revision: at(n), ...more }));
          await stream.events('history', QUIET_MS);
        });
      }
    }
    await on(peer, async (stream) => {
      await stream.ask(create('h/', 'h0', { start_revision: at(6) }));
      await peer.quietly('KV', 'Put', put('h/d', '1'));
      await stream.next('too early', QUIET_MS);
      await peer.quietly('KV', 'Put', put('h/d', '2'));
      await peer.quietly('KV', 'Put', put('h/d', '3'));
      await stream.events('in time', QUIET_MS);
    });
    await peer.quietly('KV', 'Compact', { revision: at(2) });
    for (const n of [1, 2, 3]) {
      await on(peer, async (stream) => {
        await stream.ask(create('h/', 'h0', { start_revision: at(n) }));
        await stream.events('compacted or history', QUIET_MS);
      });
    }
  },
};

const progress: Case = {
  name: 'watch: progress, when asked',
  service: 'Watch',
  async run(peer) {
    await on(peer, async (stream) => {
      await stream.ask(PROGRESS, QUIET_MS);
      await stream.ask(create('q/', 'q0'));
      await stream.ask(PROGRESS);
      await stream.ask(create('r/', 'r0'));
      await stream.ask(PROGRESS);
      await stream.next('once', QUIET_MS);
    });
  },
};

const fragments: Case = {
  name: 'watch: large transactions, in fragments and whole',
  service: 'Watch',
  async run(peer) {
    const base = revisionOf(await peer.quietly('KV', 'Put', put('f/a', '1')));
    for (let i = 0; i < 3; i++) await peer.quietly('KV', 'Put', { key: bytes(`f/${i}`), value: Buffer.alloc(900_000, i) });
    for (const fragment of [true, false]) {
      await on(peer, async (stream) => {
        await stream.ask(create('f/', 'f0', { start_revision: String(base), fragment }));
        await stream.events('large values', 1_000, 4);
      });
    }
  },
};

export const WATCH_CASES: readonly Case[] = [creating, events, past, progress, fragments];
