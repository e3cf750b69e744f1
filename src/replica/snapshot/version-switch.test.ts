import assert from 'node:assert/strict';
import { ManualClock } from '../../base/testing/manual-clock.js';
import { Version } from '../../storage/version/version.js';
import { MemberState } from '../state/testing/member-state.js';
import { ServeGate } from '../reads/serve-gate.js';
import { VersionSwitch, type VersionSwitchParts } from './version-switch.js';

const nothing = (): Promise<void> => Promise.resolve();

describe('another version', () => {
  it('R4 opens only past what readers have seen, also of a stretch of entries that has not ended', async () => {
    const gate = new ServeGate(new ManualClock(), 1_000, 10);
    gate.applied(20);
    // Entry 23 waits for a repair: what was applied since 20 is there to be read, and was not told
    // of.
    const applier = {
      index: 22, stop: nothing, resume: () => undefined,
      rebase(flushed: number): Promise<void> {
        this.index = flushed;
        return nothing();
      },
    };
    const machine = { writer: { pause: nothing, resume: () => undefined }, dropWork: () => undefined, resume: () => undefined };
    const manifest: Version = Version.empty().with({ flushed: { index: 15, term: 1 }, last: { index: 18, term: 1 } });
    const tree = { durable: manifest, latest: manifest, reset: () => undefined, collect: nothing };
    const member = new MemberState().serve();
    const options = {
      tree, gate, applier, machine, store: { replace: nothing }, log: { allow: () => undefined }, state: { load: () => undefined },
      truncation: { hold: () => undefined, release: () => undefined, running: undefined },
      reads: { applied: (flushed: number) => gate.applied(flushed) }, healing: { durableMoved: () => undefined },
      life: member.life, leadership: member.leadership,
    };
    const versions = new VersionSwitch(options as unknown as VersionSwitchParts);
    assert.equal(await versions.takeOver(manifest, () => true), true);
    gate.applied(21);
    assert.ok(!gate.isOpen, 'readers have seen 22');
    gate.applied(22);
    assert.ok(gate.isOpen);
  });
});
