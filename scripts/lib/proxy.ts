/**
 * A proxy in front of each node's peer port, able to cut each direction of each link. All nodes are
 * told the proxies' ports, so `--initial-cluster` is the same everywhere; who dialled is learnt
 * from the kernel: the inode of the connecting socket in `/proc/net/tcp` belongs to one of the
 * nodes' processes. A node opens one connection per peer and sends on it, so cutting what A dialled
 * to B stops what A says to B (and the answers to A's calls), while B still speaks to A.
 */

import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import type { ClusterNode } from './node.js';

/**
 * `silent`: bytes stop, connections stay; they move on when the cut heals. `reset`: connections
 * break and new ones are refused.
 */
export type CutKind = 'silent' | 'reset';

interface Link {
  /**
   * Who dialled; undefined: nobody has asked yet. To find out costs a walk over all connections of
   * the machine, which a busy one has no time for at each dial.
   */
  from: number | undefined;
  readonly to: number;
  readonly near: Socket;
  readonly far: Socket;
  silent: boolean;
}

function inodeOfLocalPort(port: number): string | undefined {
  const wanted = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  for (const file of ['/proc/net/tcp', '/proc/net/tcp6']) {
    let text = '';
    try {
      text = readFileSync(file, 'utf8');
    } catch {
      continue;
    }
    for (const line of text.split('\n')) {
      const fields = line.trim().split(/\s+/);
      if (fields[1]?.endsWith(wanted) && fields[9] !== '0') return fields[9];
    }
  }
  return undefined;
}

function ownsSocket(pid: number, inode: string): boolean {
  try {
    const dir = `/proc/${pid}/fd`;
    return readdirSync(dir).some((fd) => {
      try {
        return readlinkSync(`${dir}/${fd}`) === `socket:[${inode}]`;
      } catch {
        return false;
      }
    });
  } catch {
    return false;
  }
}

export class PeerProxies {
  readonly #servers: Server[] = [];
  readonly #links = new Set<Link>();
  readonly #cuts = new Map<string, CutKind>();
  /** Set once the nodes exist. */
  nodes: readonly ClusterNode[] = [];

  /** Listens in front of a node's peer port; returns the port the others dial. */
  async front(to: number, peerPort: number): Promise<number> {
    const server = createServer((near) => this.#accept(near, to, peerPort));
    this.#servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return (server.address() as { port: number }).port;
  }

  #whoDialled(port: number): number {
    const inode = inodeOfLocalPort(port);
    if (inode === undefined) return -1;
    return this.nodes.findIndex((node) => node.pid !== undefined && ownsSocket(node.pid, inode));
  }

  #accept(near: Socket, to: number, peerPort: number): void {
    near.on('error', () => near.destroy());
    near.setNoDelay(true);
    const from = this.#cuts.size === 0 ? undefined : this.#whoDialled(near.remotePort ?? 0);
    const cut = this.#cuts.get(`${from}>${to}`);
    if (cut === 'reset') {
      near.destroy();
      return;
    }
    const far = connect(peerPort, '127.0.0.1');
    far.setNoDelay(true);
    const link: Link = { from, to, near, far, silent: cut === 'silent' };
    this.#links.add(link);
    const end = (): void => {
      near.destroy();
      far.destroy();
      this.#links.delete(link);
    };
    far.on('error', end);
    near.on('close', end);
    far.on('close', end);
    this.#pump(near, far, link);
    this.#pump(far, near, link);
  }

  #pump(source: Socket, sink: Socket, link: Link): void {
    source.on('data', (chunk: Buffer) => {
      if (!sink.write(chunk) || link.silent) source.pause();
    });
    sink.on('drain', () => {
      if (!link.silent) source.resume();
    });
    if (link.silent) source.pause();
  }

  #fromOf(link: Link): number {
    return (link.from ??= this.#whoDialled(link.near.remotePort ?? 0));
  }

  /** Cuts what `from` says to `to`. */
  cut(from: number, to: number, kind: CutKind): void {
    this.#cuts.set(`${from}>${to}`, kind);
    for (const link of this.#links) {
      if (link.to !== to || this.#fromOf(link) !== from) continue;
      if (kind === 'reset') link.near.destroy();
      else {
        link.silent = true;
        link.near.pause();
        link.far.pause();
      }
    }
  }

  healAll(): void {
    this.#cuts.clear();
    for (const link of this.#links) {
      link.silent = false;
      link.near.resume();
      link.far.resume();
    }
  }

  get links(): string[] {
    return [...this.#links].map((link) => `${this.#fromOf(link)}>${link.to}`).sort();
  }

  close(): void {
    for (const server of this.#servers) server.close();
    for (const { near, far } of this.#links) {
      near.destroy();
      far.destroy();
    }
  }
}
