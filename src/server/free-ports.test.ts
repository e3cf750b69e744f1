import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { freePorts } from './free-ports.js';

describe('free ports', () => {
  it('are given once, whether or not somebody listens on them by then, and never one that is taken', async () => {
    const [taken = 0] = await freePorts(1);
    const server = createServer().listen(taken, '127.0.0.1');
    await once(server, 'listening');
    const given = [...(await freePorts(40)), ...(await freePorts(40))];
    server.close();
    assert.equal(new Set([taken, ...given]).size, 81);
  });

  it('of one process are its own part of them: those of the next process are others', async () => {
    const parts = (await freePorts(200)).map((port) => Math.floor((port - 15_000) / 531));
    assert.deepEqual([...new Set(parts)], [process.pid % 32]);
  });
});
