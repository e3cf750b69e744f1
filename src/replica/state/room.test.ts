import assert from 'node:assert/strict';
import { SmallDisk } from '../../base/disk/testing/small-disk.js';
import { DiskError } from '../../base/errors.js';
import { ManualClock } from '../../base/testing/manual-clock.js';
import { silent } from '../../base/testing/silent.js';
import { Life } from './life.js';
import { giveUpReserve, Reserve, RESERVE_PATH } from './reserve.js';
import { Room } from './room.js';

const BYTES = 100_000;
const FULL = new DiskError('NO_SPACE', 'it is full');

describe('room on the disk', () => {
  let disk: SmallDisk;
  let clock: ManualClock;
  let life: Life;
  let room: Room;
  let reserve: Reserve;
  const changes: boolean[] = [];

  beforeEach(() => {
    disk = new SmallDisk();
    clock = new ManualClock();
    life = new Life();
    reserve = new Reserve(disk, BYTES);
    room = new Room({ env: { clock, events: silent }, life, reserve });
    changes.length = 0;
    room.subscribe((short) => changes.push(short));
  });

  async function rest(): Promise<void> {
    await reserve.idle();
    await new Promise((resolve) => setImmediate(resolve));
  }

  it('C1 a reserve is made, is given up for the tree, and is there again only when as much once more would fit', async () => {
    room.start();
    await rest();
    assert.deepEqual([disk.sizeOf(RESERVE_PATH), disk.files(), changes], [BYTES, [RESERVE_PATH], []]);
    disk.fill();
    room.ranOut(FULL, false);
    await rest();
    assert.equal(disk.sizeOf(RESERVE_PATH), BYTES, 'a log gets nothing of it');
    room.ranOut(FULL, true);
    await rest();
    assert.deepEqual([disk.files(), changes, room.why], [[], [true], FULL.message]);
    disk.capacity = 2 * BYTES - 1;
    clock.advance(60_000);
    await rest();
    assert.deepEqual([disk.files(), room.short], [[], true], 'what was tried is gone');
    disk.capacity = 2 * BYTES;
    clock.advance(2_000);
    await rest();
    assert.deepEqual([disk.files(), changes], [[RESERVE_PATH], [true, false]]);
  });

  it('C1 a full disk is looked at in pauses of at most two seconds', async () => {
    disk.fill();
    room.ranOut(FULL, true);
    await rest();
    let looks = 0;
    for (let ms = 0; ms < 20_000; ms += 50) {
      const before = disk.refusals;
      clock.advance(50);
      await rest();
      if (disk.refusals > before) looks++;
    }
    assert.ok(looks >= 9 && looks <= 14, `${looks} looks in 20 s`);
    life.stop();
    clock.advance(10_000);
    assert.equal(clock.timers, 0, 'a member that ends looks no more');
  });

  it('a start without room gives the reserve up once', async () => {
    await reserve.regain();
    assert.deepEqual([await giveUpReserve(disk), await giveUpReserve(disk), disk.files()], [true, false, []]);
  });
});
