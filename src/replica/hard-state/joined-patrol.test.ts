import assert from 'node:assert/strict';
import { MemoryDisk } from '../../base/disk/memory-disk.js';
import type { KintsugiEvent } from '../../base/events.js';
import { keeperOfJoined, readJoined, writeJoined } from '../state/joined.js';
import { staticMembers } from '../state/members.js';
import { Life } from '../state/life.js';
import { HardStatePatrol } from './hard-state-patrol.js';

const JOINED = { self: 9, description: { clusterId: 77n, members: staticMembers([{ id: 9, name: 'a', peerUrls: ['http://h:1'] }]) } };

describe('the patrol that looks after the file joined', () => {
  it('R5 copies that go bad are written anew while the member runs, and at its start, and that is told', async () => {
    const disk = new MemoryDisk();
    await writeJoined(disk, JOINED);
    assert.equal(await keeperOfJoined(disk, 8), undefined, 'it is of another member');
    await disk.unlink('joined');
    const events: KintsugiEvent[] = [];
    let now = 0;
    const env = { clock: { now: () => now } as never, events: { emit: (event: KintsugiEvent) => void events.push(event) } };
    const hardState = { scrub: () => Promise.resolve({ faulty: 0 }) };
    const patrol = new HardStatePatrol({ env, life: new Life(), hardState, joined: await keeperOfJoined(disk, 9) });
    await patrol.begin();
    assert.notEqual(disk.sizeOf('joined'), undefined);
    assert.equal(await patrol.scrub(), 0);
    for (const path of ['joined', 'joined.copy']) await disk.unlink(path);
    now = 600_000;
    patrol.tick(now);
    assert.equal(await patrol.scrub(), 2);
    assert.equal((await readJoined(disk))?.self, 9);
    assert.notEqual(disk.sizeOf('joined.copy'), undefined);
    const told = events.map((event) => (event.type === 'warning' ? [event.message, event.data.copies] : []));
    const message = 'copies of the file joined were damaged: it is written anew';
    assert.deepEqual(told, [[message, 1], [message, 2]]);
  });
});
