/**
 * `Env`: the only way to time, chance, disk, network and background work. `raft/`, `storage/`,
 * `replica/` and `healing/` use nothing else of the outside world, so that the simulator runs the
 * code that ships.
 */

import type { Disk } from './disk.js';
import type { EventSink } from './events.js';
import type { NodeId } from './ids.js';

export interface Timer {
  cancel(): void;
}

export interface Clock {
  /** Milliseconds since an arbitrary start; never goes back. May have a fraction. */
  now(): number;
  /** Milliseconds since 1970, for people only: nothing that is stored or decided may hang on it. */
  wallNow(): number;
  /** Calls `fn` once, after `delayMs`. */
  setTimer(delayMs: number, fn: () => void): Timer;
  /**
   * Calls `fn` after the input that is already there has been handled (setImmediate): the place to
   * batch.
   */
  defer(fn: () => void): void;
}

export interface Random {
  /** 0 to 2^32-1. */
  uint32(): number;
  /** A whole number in [0, bound), bound at most 2^32. */
  below(bound: number): number;
  /** [0, 1). */
  float(): number;
}

/** What a node does for the others. */
export interface NetworkHandler {
  /** One-way frame, at most {@link Network.maxFrameBytes}. The buffer belongs to the receiver. */
  onFrame(from: NodeId, frame: Uint8Array): void;
  /** A call; what it rejects with reaches the caller as NetworkError REMOTE. */
  onCall(from: NodeId, method: string, request: Uint8Array): Promise<Uint8Array>;
  /**
   * The stream from `peer` broke: evidence that its process is gone. Not called for an orderly
   * close of ours.
   */
  onDisconnect(peer: NodeId): void;
  /** `peer` takes nothing from this member, because it was removed from the cluster. */
  onRemoved(peer: NodeId): void;
}

/**
 * `prompt`: small, and of use only at once. `bulk`: in order among each other, however large; what
 * is prompt overtakes them. A frame is prompt unless its sender says otherwise.
 */
export type Lane = 'prompt' | 'bulk';

export type LinkState = 'idle' | 'connecting' | 'up' | 'waiting' | 'stopped';

/** This node's way to one peer, for who looks after it. */
export interface LinkStatus {
  readonly peer: NodeId;
  readonly url: string;
  /** waiting: for the next attempt. */
  readonly state: LinkState;
  /** Since it became so, in ms. */
  readonly forMs: number;
  /** The peer's own stream reaches this node. */
  readonly isHeard: boolean;
  /** Attempts in vain since it was up. */
  readonly failures: number;
  /** An attempt is given so long. */
  readonly patienceMs: number;
  /** Of frames that wait for it. */
  readonly queuedBytes: number;
  /** For want of room, since it was made. */
  readonly droppedFrames: number;
  /** How often it was up and broke, since it was made. */
  readonly breaks: number;
  /** Of the streams of frames, both ways, since it was made. */
  readonly sentBytes: number;
  readonly receivedBytes: number;
  /** What the last stream or attempt ended with. */
  readonly lastError?: { readonly why: string; readonly agoMs: number };
}

export interface Network {
  /** A larger frame is not sent. */
  readonly maxFrameBytes: number;
  /** Starts to listen and to connect. Called once. */
  start(handler: NetworkHandler): Promise<void>;
  /**
   * Fire and forget, in the order of its lane while a connection lasts; may be lost. Never blocks:
   * beyond a bound frames are dropped.
   */
  send(to: NodeId, frame: Uint8Array, lane?: Lane): void;
  /**
   * Rejects with {@link NetworkError}: UNREACHABLE, TIMEOUT, REMOTE, CLOSED, TOO_LARGE, REMOVED.
   * Requests and replies have the bound of frames.
   */
  call(to: NodeId, method: string, request: Uint8Array, timeoutMs: number): Promise<Uint8Array>;
  /**
   * As {@link call}, for what is asked often, with small requests and answers (of 64 KiB at most):
   * it costs little more than a frame.
   */
  ask(to: NodeId, method: string, request: Uint8Array, timeoutMs: number): Promise<Uint8Array>;
  /**
   * What whoever is found at that URL says of his cluster, whichever member he is: everybody may
   * ask, as a member may that was away while all others became other ones. Rejects as `call` does.
   */
  describe(url: string, timeoutMs: number): Promise<Uint8Array>;
  /**
   * Who talks to this member and was never named to it: members of its cluster, by their word. They
   * can be called.
   */
  guests(): readonly NodeId[];
  /**
   * With whom this member talks from now on, and where they are found (`http://host:port`), instead
   * of those from before. Who is among the `removed` is told so, and is not heard any more.
   */
  setPeers(peers: ReadonlyMap<NodeId, readonly string[]>, removed: readonly NodeId[]): void;
  /** One for each peer; not there: it has none. */
  links?(): readonly LinkStatus[];
  stop(): Promise<void>;
}

/** Who lets long work go on, and when. */
export interface Breather {
  /**
   * Long work calls this often. Undefined: go on. A promise: the slice is used up (a few
   * milliseconds); await it before going on, so that heartbeats are served.
   */
  breathe(): Promise<void> | undefined;
}

/** For what everybody waits for: applying. Where a part is missing, all work is alike. */
export interface Workers extends Breather {
  /** For answers to reads: many large ones at once leave the others their slice. */
  readonly reading?: Breather;
  /** For what must keep up, such as merges: a slice of its own. */
  readonly beside?: Breather;
  /** For what may take a while, such as whole tables: a small slice of its own in each turn. */
  readonly between?: Breather;
  /** For what nobody waits for: a small slice of its own, and rest while others work. */
  readonly behind?: Breather;
  /**
   * So many processors of this machine had nothing to do since it was last asked, on average, or
   * parts of one. Undefined: not known, or nobody asked for a while.
   */
  idleProcessors?(): number | undefined;
}

export interface Env {
  readonly clock: Clock;
  readonly random: Random;
  readonly disk: Disk;
  readonly network: Network;
  readonly workers: Workers;
  readonly events: EventSink;
}

/** Resolves after `delayMs` of `clock`. */
export function sleep(clock: Clock, delayMs: number): Promise<void> {
  return new Promise((resolve) => clock.setTimer(delayMs, resolve));
}
