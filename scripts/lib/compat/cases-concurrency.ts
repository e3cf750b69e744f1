/** Lock and Election: queues of keys, who is next, and what is said to whom has no right. */

import { bytes, put, range, type Case } from './case.js';
import type { Peer, Reply } from './peer.js';

const LOCK = 'v3lockpb.Lock';
const ELECTION = 'v3electionpb.Election';

const lock = (peer: Peer, name: string, lease: string): Promise<Reply | undefined> => peer.call(LOCK, 'Lock', { name: bytes(name), lease });
const campaign = (peer: Peer, name: string, lease: string, value: string): Promise<Reply | undefined> =>
  peer.call(ELECTION, 'Campaign', { name: bytes(name), lease, value: bytes(value) });

async function leases(peer: Peer, ids: readonly string[]): Promise<void> {
  for (const ID of ids) await peer.quietly('Lease', 'LeaseGrant', { TTL: '600', ID: peer.given(ID) });
}

/** The keys of a queue. */
const queue = (peer: Peer, name: string): Promise<Reply | undefined> => peer.call('KV', 'Range', range(`${name}/`, `${name}0`));

const locks: Case = {
  name: 'lock: held once, again by the same lease, by the next in turn',
  service: 'Election',
  async run(peer) {
    await leases(peer, ['291', '292', '293']);
    const { key } = (await lock(peer, 'lk', '291')) as { key: Buffer };
    await lock(peer, 'lk', '291');
    const next = lock(peer, 'lk', '292');
    await peer.until('lk/124');
    await queue(peer, 'lk');
    await peer.call(LOCK, 'Unlock', { key });
    await next;
    await queue(peer, 'lk');
    await peer.call('Lease', 'LeaseRevoke', { ID: '292' });
    await lock(peer, 'lk', '293');
    await lock(peer, '', '293');
    await lock(peer, 'lk/', '293');
    await queue(peer, 'lk');
    await peer.call(LOCK, 'Unlock', { key });
    await peer.call(LOCK, 'Unlock', {});
    await peer.call(LOCK, 'Unlock', { key: bytes('nothing') });
    // Its lock without a name would stand before a campaign without one.
    await peer.call('Lease', 'LeaseRevoke', { ID: '293' });
  },
};

const refusedLocks: Case = {
  name: 'lock: without a lease, with one that is not there, and given up',
  service: 'Election',
  async run(peer) {
    for (const lease of ['404', '-1', '-291']) await lock(peer, 'lx', peer.given(lease));
    await queue(peer, 'lx');
    await leases(peer, ['301', '302', '303']);
    await lock(peer, 'lx', '301');
    await peer.callFor(300, LOCK, 'Lock', { name: bytes('lx'), lease: '302' });
    await peer.until('lx/12e', false);
    await queue(peer, 'lx');
    const late = lock(peer, 'lx', '303');
    await peer.until('lx/12f');
    await peer.call('Lease', 'LeaseRevoke', { ID: '303' });
    await peer.call('Lease', 'LeaseRevoke', { ID: '301' });
    await late;
    await queue(peer, 'lx');
    const given = await peer.quietly(LOCK, 'Lock', { name: bytes('ly') });
    peer.tell('a key of a lease that was granted', { isKey: /^ly\/[0-9a-f]{8,16}$/.test(String(given?.['key'])) });
    const { kvs } = (await peer.quietly('KV', 'Range', range('ly/', 'ly0'))) as { kvs: { lease: string }[] };
    await peer.call('Lease', 'LeaseTimeToLive', { ID: kvs[0]?.lease, keys: false });
    await peer.quietly('Lease', 'LeaseRevoke', { ID: kvs[0]?.lease });
    await lock(peer, 'z'.repeat(1_600_000), '302');
  },
};

const elections: Case = {
  name: 'election: campaign, proclaim, leader, resign',
  service: 'Election',
  async run(peer) {
    const who = (): Promise<Reply | undefined> => peer.call(ELECTION, 'Leader', { name: bytes('ele') });
    await leases(peer, ['321', '322']);
    await who();
    const { leader } = (await campaign(peer, 'ele', '321', 'one')) as { leader: Reply };
    await who();
    await campaign(peer, 'ele', '321', 'one');
    await campaign(peer, 'ele', '321', 'two');
    await who();
    const next = campaign(peer, 'ele', '322', 'three');
    await peer.until('ele/142');
    await peer.call(ELECTION, 'Proclaim', { leader, value: bytes('four') });
    await peer.call(ELECTION, 'Proclaim', { leader, value: bytes('') });
    await who();
    await peer.call(ELECTION, 'Resign', { leader });
    const won = await next;
    await who();
    await peer.call(ELECTION, 'Proclaim', { leader, value: bytes('late') });
    await peer.call(ELECTION, 'Resign', { leader });
    for (const method of ['Proclaim', 'Resign']) await peer.call(ELECTION, method, {});
    const of = won?.['leader'] as Reply;
    const wrong: Reply[] = [{ ...of, rev: '1' }, { ...of, rev: '0' }, { ...of, key: bytes('ele/none') }, { ...of, key: bytes('') }, { ...of, lease: '404' }];
    for (const each of wrong) {
      await peer.call(ELECTION, 'Proclaim', { leader: each, value: bytes('x') });
      await peer.call(ELECTION, 'Resign', { leader: each });
      await queue(peer, 'ele');
    }
    const other = await campaign(peer, 'elf', '321', 'x');
    await peer.call(ELECTION, 'Proclaim', { leader: { ...(other?.['leader'] as Reply), name: bytes('another') }, value: bytes('y') });
    await peer.call(ELECTION, 'Proclaim', { leader: { ...(other?.['leader'] as Reply), lease: '322' }, value: bytes('z') });
    await queue(peer, 'elf');
    await campaign(peer, 'ele', peer.given('404'), 'x');
    await campaign(peer, '', '321', '');
    await peer.call(ELECTION, 'Leader', {});
    await peer.callFor(300, ELECTION, 'Campaign', { name: bytes('elf'), lease: '322', value: bytes('late') });
    await peer.until('elf/142', false);
    await queue(peer, 'elf');
  },
};

const observed: Case = {
  name: 'election: observed from before the first leader to after the last',
  service: 'Election',
  async run(peer) {
    await leases(peer, ['341', '342']);
    const stream = peer.listen(ELECTION, 'Observe', { name: bytes('elo') });
    await stream.next('nobody leads', 200);
    const { leader } = (await campaign(peer, 'elo', '341', 'one')) as { leader: Reply };
    await stream.next('the first');
    await peer.call(ELECTION, 'Proclaim', { leader, value: bytes('two') });
    await stream.next('its next value');
    const next = campaign(peer, 'elo', '342', 'three');
    await peer.until('elo/156');
    await stream.next('a candidate', 200);
    await peer.call(ELECTION, 'Resign', { leader });
    await next;
    await stream.next('the second');
    const late = peer.listen(ELECTION, 'Observe', { name: bytes('elo') });
    await late.next('from now on');
    await peer.call('Lease', 'LeaseRevoke', { ID: '342' });
    await stream.next('nobody any more', 200);
    await peer.call('KV', 'Put', put('elo/x', 'four', { lease: '341' }));
    await stream.next('the third');
    await late.next('the third');
    stream.end();
    late.end();
  },
};

export const CONCURRENCY_CASES: readonly Case[] = [locks, refusedLocks, elections, observed];
