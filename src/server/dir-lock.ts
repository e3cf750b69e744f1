/**
 * One process per data directory. What holds the lock is a listening socket in Linux's abstract
 * name space, named after the directory's device and inode: the kernel binds it once and frees it
 * when the process is gone, however it went, so `kill -9` leaves nothing behind and there is no
 * stale lock to guess about. `LOCK` in the directory says who holds it, and its process id with
 * that process's start time is a second check for processes that do not share the name space.
 */

import { promises as fs, readFileSync, statSync, unlinkSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { DiskError } from '../base/errors.js';

const LOCK_FILE = 'LOCK';
const FULL: ReadonlySet<string> = new Set(['ENOSPC', 'EDQUOT']);

interface Holder {
  readonly pid: number;
  /**
   * In clock ticks since boot; 0 where the system does not tell. Tells a process from a later one
   * with its id.
   */
  readonly startTicks: number;
  readonly bootId: string;
}

export class DirLock {
  readonly #path: string;
  readonly #socket: Server | undefined;

  constructor(path: string, socket: Server | undefined) {
    this.#path = path;
    this.#socket = socket;
  }

  async release(): Promise<void> {
    try {
      unlinkSync(this.#path);
    } catch {
      // A LOCK file that stays behind names a dead process and locks nobody out.
    }
    await closeServer(this.#socket);
  }
}

/** Throws DiskError LOCKED, naming the process that holds the directory. */
export async function lockDir(dir: string): Promise<DirLock> {
  const path = join(dir, LOCK_FILE);
  const { dev, ino } = statSync(dir);
  const server = process.platform === 'linux' ? await bind(`\0kintsugi-${dev}-${ino}`) : undefined;
  const holder = readHolder(path);
  if (server === 'taken') throw lockedBy(dir, holder?.pid);
  if (holder !== undefined && holder.pid !== process.pid && isAlive(holder)) {
    await closeServer(server);
    throw lockedBy(dir, holder.pid);
  }
  try {
    const own: Holder = { pid: process.pid, startTicks: startTicks(process.pid), bootId: bootId() };
    await fs.writeFile(path, `${JSON.stringify(own)}\n`);
  } catch (error) {
    // C1 On a full disk the socket alone holds the lock.
    if (server === undefined || !FULL.has((error as NodeJS.ErrnoException).code ?? '')) {
      await closeServer(server);
      throw error;
    }
  }
  return new DirLock(path, server);
}

function lockedBy(dir: string, pid: number | undefined): DiskError {
  const who = pid === undefined ? 'another process' : `process ${pid}`;
  return new DiskError('LOCKED', `data directory ${dir} is in use by ${who}; one process may have it at a time`, { path: dir, pid });
}

function bind(name: string): Promise<Server | 'taken' | undefined> {
  return new Promise((resolve) => {
    const server = createServer((socket) => socket.destroy());
    server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code === 'EADDRINUSE' ? 'taken' : undefined));
    server.listen(name, () => {
      server.unref();
      resolve(server);
    });
  });
}

function closeServer(server: Server | undefined): Promise<void> {
  return new Promise((resolve) => (server === undefined ? resolve() : server.close(() => resolve())));
}

function readHolder(path: string): Holder | undefined {
  try {
    const parsed: unknown = JSON.parse(readFileSync(path, 'utf8'));
    if (typeof parsed !== 'object' || parsed === null) return undefined;
    const { pid, startTicks: ticks, bootId: boot } = parsed as Partial<Record<keyof Holder, unknown>>;
    if (typeof pid !== 'number' || typeof ticks !== 'number' || typeof boot !== 'string') return undefined;
    return { pid, startTicks: ticks, bootId: boot };
  } catch {
    return undefined;
  }
}

function isAlive(holder: Holder): boolean {
  if (holder.bootId !== bootId()) return false;
  try {
    process.kill(holder.pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return false;
  }
  return startTicks(holder.pid) === holder.startTicks;
}

function bootId(): string {
  return readProc('/proc/sys/kernel/random/boot_id').trim();
}

/** Field 22 of /proc/<pid>/stat; the command in field 2 is in brackets and may hold blanks. */
function startTicks(pid: number): number {
  const stat = readProc(`/proc/${pid}/stat`);
  return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? 0) || 0;
}

function readProc(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
