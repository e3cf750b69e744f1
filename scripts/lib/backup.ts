/**
 * Backup and restore of real processes: a backup is taken under load, everything is wiped, the same
 * flags but for the token make a new cluster of the backup, and what that holds is compared with
 * what the old one held at the backup's revision, and with what was acknowledged.
 */

import { execFile } from 'node:child_process';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { connect, type KeyValue } from '../../src/client/client.js';
import { restoreCommand } from '../../src/cli/restore/restore.js';
import { snapshot } from '../../src/cli/snapshot/snapshot.js';
import type { Io } from '../../src/cli/ctl/context.js';
import { KINTSUGI_MAIN } from './binary.js';
import { Cluster } from './cluster.js';
import { Failure } from './command.js';
import type { Recorded } from './load/history.js';
import { monotonicMs } from './load/protocol.js';
import { ClusterNode } from './node.js';

const run = promisify(execFile);

/** Standard output of a command of the build. Rejects with what it said if it fails. */
export async function kintsugiCommand(...args: readonly string[]): Promise<string> {
  return (await run(process.execPath, [KINTSUGI_MAIN, ...args], { timeout: 120_000, maxBuffer: 64 * 1024 * 1024 })).stdout;
}

export interface Saved {
  readonly file: string;
  readonly revision: number;
  readonly keys: number;
  readonly bytes: number;
  readonly tookMs: number;
  /** CLOCK_MONOTONIC in ms. */
  readonly askedAt: number;
  readonly doneAt: number;
}

export async function saveBackup(node: ClusterNode, file: string): Promise<Saved> {
  const askedAt = monotonicMs();
  const said = await kintsugiCommand('ctl', '--endpoints', node.spec.clientUrl, '-w', 'json', 'snapshot', 'save', file);
  const doneAt = monotonicMs();
  return { ...(JSON.parse(said) as Pick<Saved, 'file' | 'revision' | 'keys' | 'bytes'>), askedAt, doneAt, tookMs: doneAt - askedAt };
}

/** Why the backup's revision is not one between its request and its end; empty: it is. */
export function pointFault(operations: readonly Recorded[], { revision, askedAt, doneAt }: Saved): string {
  for (const op of operations) {
    if (op.kind === 'get' || op.outcome !== 'ok' || !op.ok) continue;
    if (op.end < askedAt && op.revision > revision) return `revision ${op.revision} was acknowledged before the backup was asked for, and that is at ${revision}`;
    if (op.call > doneAt && op.revision <= revision) return `revision ${op.revision} was asked for after the backup, and that is at ${revision}`;
  }
  return '';
}

/** All keys, as one text for each, as of a revision (0: now). */
export async function contents(url: string, revision = 0): Promise<{ readonly revision: number; readonly keys: readonly string[] }> {
  const client = connect({ endpoints: [url], timeoutMs: 30_000 });
  try {
    const keys: string[] = [];
    for (let from: Uint8Array = Uint8Array.of(0), at = revision; ; ) {
      const page = await client.getRange({ from }, { limit: 1000, revision: at });
      // All pages of one moment.
      if (at === 0) at = page.header.revision;
      keys.push(...page.kvs.map(shown));
      const last = page.kvs.at(-1);
      if (!page.more || last === undefined) return { revision: at, keys };
      from = Buffer.concat([last.key, Buffer.of(0)]);
    }
  } finally {
    client.close();
  }
}

function shown({ key, value, createRevision, modRevision, version, lease }: KeyValue): string {
  const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
  return `${hex(key)} ${hex(value)} create ${createRevision} mod ${modRevision} version ${version} lease ${lease}`;
}

/** What differs first; empty: nothing does. */
export function difference(expected: readonly string[], found: readonly string[]): string {
  for (let i = 0; i < Math.max(expected.length, found.length); i++) {
    if (expected[i] !== found[i]) return `key ${i}: expected ${expected[i]?.slice(0, 120) ?? 'none'}, found ${found[i]?.slice(0, 120) ?? 'none'}`;
  }
  return '';
}

/** Every data directory of the old cluster goes; members of a new one are made of the backup. */
export async function restoreAll(old: Cluster, source: readonly string[], token: string, flags: readonly string[] = []): Promise<Cluster> {
  for (const { spec } of old.nodes) rmSync(spec.dataDir, { recursive: true, force: true });
  const nodes = old.nodes.map(({ spec }) => new ClusterNode({ ...spec, token }));
  for (const { spec } of nodes) {
    await kintsugiCommand('restore', ...source, '--name', spec.name, '--data-dir', spec.dataDir, '--initial-cluster', spec.initialCluster,
      '--initial-cluster-token', token, ...flags);
  }
  return new Cluster(nodes, old.dir);
}

class Said implements Io {
  readonly env = {};
  readonly tty = false;
  text = '';

  out(text: string | Uint8Array): void {
    this.text += String(text);
  }

  err(text: string): void {
    this.text += text;
  }

  stdin(): Promise<Buffer> {
    return Promise.resolve(Buffer.alloc(0));
  }

  secret(): Promise<undefined> {
    return Promise.resolve(undefined);
  }
}

export interface FlipResult {
  readonly flips: number;
  readonly missedByVerify: readonly number[];
  readonly missedByRestore: readonly number[];
}

/**
 * One bit after the other, at so many places over all of the file: each must be found by verify and
 * by restore, and the data directory not even be made.
 */
export async function flipBits(dir: string, file: string, flips: number, random: () => number): Promise<FlipResult> {
  const bytes = readFileSync(file);
  const spoiled = join(dir, 'spoiled.db');
  const dataDir = join(dir, 'never');
  const missedByVerify: number[] = [];
  const missedByRestore: number[] = [];
  for (let i = 0; i < flips; i++) {
    // In every stretch of the file once, the very first and last byte included.
    const from = Math.floor((i * bytes.length) / flips);
    const to = Math.floor(((i + 1) * bytes.length) / flips);
    const at = i === 0 ? 0 : i === flips - 1 ? bytes.length - 1 : from + Math.floor(random() * (to - from));
    bytes[at] = (bytes[at] as number) ^ (1 << (i % 8));
    writeFileSync(spoiled, bytes);
    bytes[at] = (bytes[at] as number) ^ (1 << (i % 8));
    if ((await snapshot(['verify', spoiled], new Said())) !== 1) missedByVerify.push(at);
    const refused = (await restoreCommand([spoiled, '--name', 'n1', '--data-dir', dataDir], new Said())) === 1;
    if (!refused || existsSync(dataDir)) missedByRestore.push(at);
    rmSync(dataDir, { recursive: true, force: true });
  }
  rmSync(spoiled, { force: true });
  const sound = new Said();
  if ((await snapshot(['verify', file], sound)) !== 0) throw new Failure(`the backup itself is not sound: ${sound.text}`);
  return { flips, missedByVerify, missedByRestore };
}
