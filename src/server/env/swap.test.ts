import assert from 'node:assert/strict';
import { swapNotice } from './swap.js';

const HEAD = 'Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n';
const DEVICES = `${HEAD}/dev/sda2                               partition\t999996\t\t0\t\t-2\n/swapfile                               file\t999996\t\t0\t\t-3\n`;

function on(files: Readonly<Record<string, string>>): string | undefined {
  return swapNotice((path) => files[path]);
}

describe('swap', () => {
  it('is told of where this process could be swapped out, with the devices', () => {
    assert.match(on({ '/proc/swaps': DEVICES }) ?? '', /\/dev\/sda2, \/swapfile/);
    const group = { '/proc/self/cgroup': '0::/system.slice/kintsugi.service\n' };
    const max = '/sys/fs/cgroup/system.slice/kintsugi.service/memory.swap.max';
    assert.match(on({ '/proc/swaps': DEVICES, ...group, [max]: 'max\n' }) ?? '', /sda2/);
    assert.equal(on({ '/proc/swaps': DEVICES, ...group, [max]: '0\n' }), undefined);
  });

  it('is no matter where there is none', () => {
    assert.equal(on({ '/proc/swaps': HEAD }), undefined);
    assert.equal(on({}), undefined);
  });
});
