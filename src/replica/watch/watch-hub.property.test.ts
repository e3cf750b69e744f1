import fc from 'fast-check';
import { kvCommand } from '../kv/testing/arbitraries.js';
import { command } from '../kv/testing/requests.js';
import { outcome } from '../kv/testing/harness.js';
import { validateCommand } from '../kv/validate.js';
import { createOf, turn, WatchWorld, type WatchedStream } from './testing/watch-world.js';
import type { KvCommand } from '../kv/command.js';

const KEYS = ['a', 'b', 'b\0', 'c', 'd', '\0', '\xff'];

type Step =
  | { readonly kind: 'apply' | 'jump'; readonly commands: readonly KvCommand[] }
  | { readonly kind: 'create'; readonly stream: number; readonly key: string; readonly end: string; readonly back: number; readonly flags: number }
  | { readonly kind: 'take'; readonly stream: number; readonly count: number }
  | { readonly kind: 'cancel' | 'progress' | 'reopen'; readonly stream: number }
  | { readonly kind: 'flush' | 'merge' | 'replace' | 'compact' | 'turns' };

const stream = fc.nat(2);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constantFrom('apply' as const, 'apply' as const, 'apply' as const, 'jump' as const),
      commands: fc.array(kvCommand, { minLength: 1, maxLength: 6 }),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('create' as const), stream, key: fc.constantFrom('', ...KEYS), end: fc.constantFrom('', '\0', '\0', 'z', ...KEYS),
      back: fc.integer({ min: -2, max: 14 }), flags: fc.nat(63),
    }),
  },
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('take' as const), stream, count: fc.nat(4) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constantFrom('cancel' as const, 'progress' as const, 'reopen' as const), stream }) },
  {
    weight: 6,
    arbitrary: fc.constantFrom('flush' as const, 'merge' as const, 'replace' as const, 'compact' as const, 'turns' as const)
      .map((kind) => ({ kind })),
  },
);

/** Takes what there is, as far as it is there at once. */
async function takeSome(taken: WatchedStream, count: number, pending: Map<WatchedStream, Promise<unknown>>): Promise<void> {
  for (let n = 0; n < count; n++) {
    if (pending.has(taken)) return;
    const taking = taken.take().finally(() => pending.delete(taken));
    pending.set(taken, taking);
    await Promise.race([taking, turn()]);
  }
}

interface Sizes {
  readonly stream: number;
  readonly recent: number;
  readonly window: number;
}

async function play(steps: readonly Step[], sizes: Sizes): Promise<void> {
  const world = new WatchWorld({ recentBytes: sizes.recent, streamBytes: sizes.stream, windowBytes: sizes.window, sliceKeys: 2 });
  const streams = [world.stream(), world.stream(), world.stream()];
  const pending = new Map<WatchedStream, Promise<unknown>>();
  const at = (n: number): WatchedStream => streams[n] as WatchedStream;
  for (const one of steps) {
    switch (one.kind) {
      case 'apply':
      case 'jump': {
        const commands = one.commands.filter((what) => outcome(() => validateCommand(what)) === 'undefined');
        if (one.kind === 'apply') for (const what of commands) world.apply(what);
        else await world.replace(commands);
        break;
      }
      case 'create': {
        const startRevision = one.back > 12 ? 0 : Math.max(1, world.machine.revision - one.back);
        const flag = (n: number): boolean => (one.flags & (1 << n)) !== 0;
        await at(one.stream).create(createOf(one.key, one.end, {
          startRevision, prevKv: flag(0), fragment: flag(1), noPut: flag(2) && flag(3), noDelete: flag(4) && flag(5),
        }));
        break;
      }
      case 'take': await takeSome(at(one.stream), one.count, pending); break;
      case 'cancel': {
        const [id] = at(one.stream).session.watchers.keys();
        if (id !== undefined) await at(one.stream).cancel(id);
        break;
      }
      case 'progress': await at(one.stream).session.handle({ kind: 'progress' }); break;
      case 'reopen':
        if (pending.has(at(one.stream))) break;
        at(one.stream).session.close();
        streams[one.stream] = world.stream();
        break;
      case 'flush': await world.flush(); break;
      case 'merge': await world.merge(); break;
      case 'replace': await world.replace(); break;
      case 'compact': world.apply(command.compact(world.machine.revision)); break;
      case 'turns': for (let n = 0; n < 20; n++) await turn(); break;
    }
  }
  for (const taken of streams) {
    // One that waits for its next answer gets the last change of all.
    world.apply(command.put('a', 'the end'));
    if (pending.has(taken)) await taken.create(createOf('never'));
    await pending.get(taken);
    await taken.drain();
  }
  for (const { session } of streams) session.close();
}

describe('WatchHub', () => {
  it('W1 each watcher gets each change once, in order, revisions whole, however slow it is and whatever is compacted or replaced', async () => {
    const sizes = fc.record({
      stream: fc.constantFrom(1, 100, 1 << 20), recent: fc.constantFrom(1, 600, 1 << 20), window: fc.constantFrom(1, 300, 1 << 20),
    });
    const steps = fc.array(step, { minLength: 8, maxLength: 60, size: 'max' });
    await fc.assert(fc.asyncProperty(steps, sizes, play), { numRuns: 100 });
  }).timeout(120_000);
});
