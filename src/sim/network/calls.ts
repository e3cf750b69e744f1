/**
 * Calls between nodes. Request and reply each travel by themselves and may be lost, which the
 * caller sees as a TIMEOUT; a call may have been carried out and yet fail. The request is an event
 * of the called life, the outcome one of the caller's: neither a dead caller nor a dead callee does
 * anything any more. Requests and replies are copied: each side owns its bytes, as with a real
 * wire.
 */

import { AssertionError } from '../../base/assert.js';
import { NetworkError, messageOf, type NetworkErrorCode } from '../../base/errors.js';
import type { NodeId } from '../../base/ids.js';
import { MAX_MESSAGE_BYTES } from '../../replica/base/limits.js';
import { DESCRIBE_METHOD } from '../../replica/state/description.js';
import type { Coverage } from '../model/coverage.js';
import type { Stream } from '../world/random.js';
import type { World } from '../world/world.js';
import type { PendingCall, SimEndpoint } from './endpoint.js';
import type { Link } from './link.js';
import type { Topology } from './topology.js';
import { delayUs } from './weather.js';

/** One call at its caller: settled once, on the caller's event loop. */
interface Call extends PendingCall {
  readonly caller: SimEndpoint;
  readonly method: string;
  readonly succeed: (reply: Uint8Array) => void;
}

export class Calls {
  readonly #world: World;
  readonly #coverage: Coverage;
  readonly #topology: Topology;
  readonly #random: Stream;

  constructor(world: World, coverage: Coverage, topology: Topology) {
    this.#world = world;
    this.#coverage = coverage;
    this.#topology = topology;
    this.#random = world.stream('network calls');
  }

  call(caller: SimEndpoint, to: NodeId, method: string, request: Uint8Array, timeoutMs: number): Promise<Uint8Array> {
    if (caller.isStopped) return Promise.reject(new NetworkError('CLOSED', 'the network is stopped'));
    if (!caller.process.alive) return new Promise(() => undefined);
    const place = caller.placeOf(to);
    if (place === undefined || place === caller.id) return Promise.reject(new NetworkError('UNREACHABLE', `no member ${to}`));
    return new Promise((resolve, reject) => {
      const timer = this.#world.schedule(timeoutMs * 1000, () => call.fail(new NetworkError('TIMEOUT', `${method} at ${to}`)), caller.process);
      const settled = (): boolean => {
        timer.cancel();
        return !caller.pending.delete(call);
      };
      const call: Call = {
        caller,
        to: place,
        member: to,
        method,
        succeed: (reply) => {
          if (!settled()) resolve(reply);
        },
        fail: (error) => {
          if (!settled()) reject(error);
        },
      };
      caller.pending.add(call);
      this.#leave(call, request.slice());
    });
  }

  /** `id` has no process any more: who waits for it hears of it, unless the way back is cut. */
  gone(id: NodeId): void {
    for (const endpoint of this.#topology.endpoints()) {
      if (endpoint.id === id) continue;
      for (const call of endpoint.pending) {
        if (call.to === id && this.#topology.link(id, endpoint.id).cuts === 0) this.#failLater(endpoint, call, 'the connection broke');
      }
    }
  }

  /** The caller does not talk to everybody any more: what it has asked them is given back. */
  repeered(endpoint: SimEndpoint): void {
    for (const call of endpoint.pending) {
      if (endpoint.placeOf(call.member) === call.to) continue;
      this.#later(endpoint, 1, () => call.fail(new NetworkError('CLOSED', `member ${call.member} is not one any more`)));
    }
  }

  /**
   * What a machine that is to join asks at a place, as no member. `answer`: at most once, on the
   * world's own event loop; never if question or answer is lost.
   */
  describe(from: NodeId, to: NodeId, method: string, answer: (reply: Uint8Array) => void): void {
    const link = this.#topology.link(from, to);
    const back = this.#topology.link(to, from);
    const callee = this.#topology.endpoint(to);
    if (callee === undefined || link.cuts > 0 || this.#isLost(link)) return;
    this.#later(callee, this.#delayUs(link), () => {
      if (!callee.listens) return;
      this.#handle(callee, 0, method, new Uint8Array(0)).then(
        (reply) => {
          if (!callee.listens || back.cuts > 0 || this.#isLost(back)) return;
          this.#world.schedule(this.#delayUs(back), () => answer(reply.slice()));
        },
        (error: unknown) => {
          if (error instanceof AssertionError) this.#later(callee, 0, () => raise(error));
        },
      );
    });
  }

  /** The same for a life that waits no longer than it says. */
  describeFor(caller: SimEndpoint, place: NodeId, timeoutMs: number): Promise<Uint8Array> {
    if (caller.isStopped) return Promise.reject(new NetworkError('CLOSED', 'the network is stopped'));
    if (!caller.process.alive) return new Promise(() => undefined);
    return new Promise((resolve, reject) => {
      const timer = this.#world.schedule(timeoutMs * 1000, () => reject(new NetworkError('TIMEOUT', `${DESCRIBE_METHOD} at ${place}`)), caller.process);
      this.describe(caller.id, place, DESCRIBE_METHOD, (reply) => {
        this.#later(caller, 0, () => {
          timer.cancel();
          resolve(reply);
        });
      });
    });
  }

  /** The caller's own network stopped. */
  closed(endpoint: SimEndpoint): void {
    for (const call of endpoint.pending) this.#later(endpoint, 1, () => call.fail(new NetworkError('CLOSED', 'the network is stopped')));
  }

  #leave(call: Call, request: Uint8Array): void {
    const { caller, to } = call;
    const link = this.#topology.link(caller.id, to);
    const back = this.#topology.link(to, caller.id);
    if (link.cuts > 0 || back.cuts > 0) {
      // Without a connection some tries fail at once; with one, what is sent is never answered.
      if (!link.pair.up && this.#random.chance(1, 2)) this.#failLater(caller, call, 'no connection');
      if (link.cuts > 0) return;
    }
    if (this.#isLost(link)) return;
    const callee = this.#topology.endpoint(to);
    if (callee?.listens !== true) {
      // A machine that is down mostly refuses by its absence; sometimes it just does not answer.
      if (!this.#random.chance(1, 4)) this.#failLater(caller, call, 'nobody listens');
      return;
    }
    const clogUs = Math.max(0, link.cloggedUntilUs - this.#world.nowUs);
    const stallUs = this.#world.timeOf(caller.process) - this.#world.nowUs;
    this.#later(callee, clogUs + stallUs + this.#delayUs(link), () => this.#arrive(call, callee, request));
  }

  #arrive(call: Call, callee: SimEndpoint, request: Uint8Array): void {
    const { caller, method } = call;
    if (!callee.listens || callee.handler === undefined || this.#topology.link(caller.id, callee.id).cuts > 0) return;
    const refusal = refusalOf(call, callee);
    if (refusal !== undefined) return this.#reply(call, callee, () => this.#refuse(call, ...refusal));
    this.#fold(caller.id, callee.id, request, method);
    const answered = this.#handle(callee, caller.member, method, request);
    answered.then(
      (reply) => {
        if (!callee.listens) return;
        if (reply.length > MAX_MESSAGE_BYTES) this.#reply(call, callee, () => this.#refuse(call, 'TOO_LARGE', `${method} at ${callee.id}`));
        else {
          const copy = reply.slice();
          this.#reply(call, callee, () => {
            this.#fold(callee.id, caller.id, copy, method);
            call.succeed(copy);
          });
        }
      },
      (error: unknown) => {
        if (!callee.listens) return;
        // In the real transport a broken invariant ends the process, whoever called.
        if (error instanceof AssertionError) this.#later(callee, 0, () => raise(error));
        this.#reply(call, callee, () => this.#refuse(call, 'REMOTE', messageOf(error)));
      },
    );
  }

  #handle(callee: SimEndpoint, from: NodeId, method: string, request: Uint8Array): Promise<Uint8Array> {
    try {
      return callee.handler?.onCall(from, method, request) ?? Promise.reject(new Error('no handler'));
    } catch (error) {
      return Promise.reject(error instanceof Error ? error : new Error(messageOf(error)));
    }
  }

  #reply(call: Call, callee: SimEndpoint, arrived: () => void): void {
    const { caller } = call;
    const link = this.#topology.link(callee.id, caller.id);
    if (link.cuts > 0 || this.#isLost(link) || !caller.pending.has(call)) return;
    const clogUs = Math.max(0, link.cloggedUntilUs - this.#world.nowUs);
    const stallUs = this.#world.timeOf(callee.process) - this.#world.nowUs;
    this.#later(caller, clogUs + stallUs + this.#delayUs(link), () => {
      if (link.cuts === 0) arrived();
    });
  }

  #refuse(call: Call, code: NetworkErrorCode, message: string): void {
    this.#world.trace.fold(call.caller.id, call.to);
    call.fail(new NetworkError(code, message));
  }

  #failLater(endpoint: SimEndpoint, call: PendingCall, why: string): void {
    const delayUs = 2 * this.#delayUs(this.#topology.link(call.to, endpoint.id));
    this.#later(endpoint, delayUs, () => call.fail(new NetworkError('UNREACHABLE', `node ${call.to}: ${why}`)));
  }

  #later(endpoint: SimEndpoint, delayUs: number, fn: () => void): void {
    this.#world.schedule(delayUs, fn, endpoint.process);
  }

  #isLost(link: Link): boolean {
    const loss = link.weather.callLossIn1000;
    if (loss === 0 || !this.#random.chance(loss, 1000)) return false;
    this.#coverage.branch('network call lost');
    return true;
  }

  #delayUs(link: Link): number {
    return delayUs(link.weather, this.#random);
  }

  #fold(from: NodeId, to: NodeId, bytes: Uint8Array, method: string): void {
    const { trace } = this.#world;
    trace.fold(from, to);
    trace.foldText(method);
    trace.foldBytes(bytes);
  }
}

/** As the real transport's: it looks at who speaks, and to whom. */
function refusalOf({ caller, member }: Call, callee: SimEndpoint): readonly [NetworkErrorCode, string] | undefined {
  if (callee.member !== member) return ['OTHER_MEMBER', `this is member ${callee.member}, not ${member}`];
  if (callee.refuses(caller.member)) return ['REMOVED', `the cluster has removed member ${caller.member}`];
  return callee.admits(caller.member, caller.id) ? undefined : ['REMOTE', `member ${caller.member} is not known here`];
}

function raise(error: Error): never {
  throw error;
}
