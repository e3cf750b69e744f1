/**
 * What the kernel knows about a process: CPU used, bytes sent to the disk, memory. Linux only;
 * zeros elsewhere.
 */

import { readFileSync, statSync } from 'node:fs';

export interface Usage {
  readonly cpuSeconds: number;
  /** Bytes that went to the block layer on behalf of this process. */
  readonly diskWriteBytes: number;
  readonly rssBytes: number;
}

const TICKS_PER_SECOND = 100;
const SECTOR_BYTES = 512;
const NOTHING: Usage = { cpuSeconds: 0, diskWriteBytes: 0, rssBytes: 0 };

function read(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8');
  } catch {
    return '';
  }
}

export function usageOf(pid: number | undefined): Usage {
  if (pid === undefined) return NOTHING;
  const stat = read(pid, 'stat');
  if (stat === '') return NOTHING;
  // The name in parentheses may hold blanks: count fields after it.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const ticks = Number(fields[11]) + Number(fields[12]);
  const written = /^write_bytes: (\d+)/m.exec(read(pid, 'io'))?.[1] ?? '0';
  const rss = /^VmRSS:\s+(\d+) kB/m.exec(read(pid, 'status'))?.[1] ?? '0';
  return { cpuSeconds: ticks / TICKS_PER_SECOND, diskWriteBytes: Number(written), rssBytes: Number(rss) * 1024 };
}

export function sumUsage(usages: readonly Usage[]): Usage {
  return usages.reduce((a, b) => ({
    cpuSeconds: a.cpuSeconds + b.cpuSeconds,
    diskWriteBytes: a.diskWriteBytes + b.diskWriteBytes,
    rssBytes: Math.max(a.rssBytes, b.rssBytes),
  }), NOTHING);
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  // A zombie still answers signal 0.
  return !/^State:\s+Z/m.test(read(pid, 'status'));
}

/** Bytes that a process has read by system calls, from the page cache, too; 0 if not Linux. */
export function readBytesOf(pid: number | undefined): number {
  return pid === undefined ? 0 : Number(/^rchar: (\d+)/m.exec(read(pid, 'io'))?.[1] ?? '0');
}

/**
 * The command line of a process; empty if there is none. Pids are reused: look before you signal
 * one that was written down.
 */
export function commandOf(pid: number): string {
  return read(pid, 'cmdline').replaceAll('\0', ' ');
}

/**
 * Bytes that the device under `path` has been sent, by everybody; undefined where the kernel does
 * not tell. The count that belongs to a process charges a whole large folio for each small write
 * into a file that was written in big pieces before: up to a hundred times too much.
 */
export function deviceWriteBytes(path: string): number | undefined {
  const { dev } = statSync(path);
  const wanted = `${(dev >> 8) & 0xfff} ${(dev & 0xff) | ((dev >> 12) & 0xfff00)}`;
  try {
    for (const line of readFileSync('/proc/diskstats', 'utf8').split('\n')) {
      const fields = line.trim().split(/\s+/);
      if (`${fields[0]} ${fields[1]}` === wanted) return Number(fields[9]) * SECTOR_BYTES;
    }
  } catch {
    // Not Linux.
  }
  return undefined;
}

/** CPU seconds that all processors of the machine have worked since it started; 0 if not Linux. */
export function busySeconds(): number {
  try {
    const [user, nice, system, , , irq, softirq] = (/^cpu +(.*)$/m.exec(readFileSync('/proc/stat', 'utf8'))?.[1] ?? '').split(' ').map(Number);
    return [user, nice, system, irq, softirq].reduce<number>((sum, n) => sum + (n ?? 0), 0) / TICKS_PER_SECOND;
  } catch {
    return 0;
  }
}
