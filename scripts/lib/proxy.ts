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
  readonly from: number;
  readonly to: number;
  readonly near: Socket;
  readonly far: Socket;
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
    const from = this.#whoDialled(near.remotePort ?? 0);
    const cut = this.#cuts.get(`${from}>${to}`);
    if (cut === 'reset') {
      near.destroy();
      return;
    }
    const far = connect(peerPort, '127.0.0.1');
    far.setNoDelay(true);
    const link: Link = { from, to, near, far };
    this.#links.add(link);
    const end = (): void => {
      near.destroy();
      far.destroy();
      this.#links.delete(link);
    };
    far.on('error', end);
    near.on('close', end);
    far.on('close', end);
    this.#pump(near, far, `${from}>${to}`);
    this.#pump(far, near, `${from}>${to}`);
  }

  #pump(source: Socket, sink: Socket, name: string): void {
    source.on('data', (chunk: Buffer) => {
      if (!sink.write(chunk)) source.pause();
      if (this.#cuts.get(name) === 'silent') source.pause();
    });
    sink.on('drain', () => {
      if (this.#cuts.get(name) !== 'silent') source.resume();
    });
    if (this.#cuts.get(name) === 'silent') source.pause();
  }

  /** Cuts what `from` says to `to`. */
  cut(from: number, to: number, kind: CutKind): void {
    this.#cuts.set(`${from}>${to}`, kind);
    for (const link of this.#links) {
      if (link.from !== from || link.to !== to) continue;
      if (kind === 'reset') link.near.destroy();
      else {
        link.near.pause();
        link.far.pause();
      }
    }
  }

  healAll(): void {
    this.#cuts.clear();
    for (const { near, far } of this.#links) {
      near.resume();
      far.resume();
    }
  }

  get links(): string[] {
    return [...this.#links].map(({ from, to }) => `${from}>${to}`).sort();
  }

  close(): void {
    for (const server of this.#servers) server.close();
    for (const { near, far } of this.#links) {
      near.destroy();
      far.destroy();
    }
  }
}
