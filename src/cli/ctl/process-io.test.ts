import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const MIB = 1 << 20;
/** Writes a lot, is done, and is held by something that never ends. */
const COMMAND = `
  import { processIo } from ${JSON.stringify(fileURLToPath(new URL(`./process-io.${import.meta.url.split('.').at(-1)}`, import.meta.url)))};
  const io = processIo();
  setInterval(() => undefined, 1_000);
  io.out(Buffer.alloc(${MIB}, 'x'));
  io.done(3);
`;

describe('output of a command', () => {
  it('leaves whole before the process ends, however slow its reader is', async () => {
    const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', COMMAND], { stdio: ['ignore', 'pipe', 'inherit'] });
    const exited = once(child, 'exit') as Promise<[number]>;
    // The pipe is full by then, and the process has waited longer than it waits for what holds it.
    await once(child.stdout, 'readable');
    await sleep(800);
    let bytes = 0;
    for await (const chunk of child.stdout) bytes += (chunk as Buffer).length;
    assert.equal(bytes, MIB);
    assert.deepEqual((await exited)[0], 3);
  });
});
