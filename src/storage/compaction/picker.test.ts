import { strict as assert } from 'node:assert';
import { utf8 } from '../../base/bytes.js';
import { USER_SPACE } from '../base/read-view.js';
import { SMALL_SETTINGS, TreeHarness } from '../testing/tree-harness.js';
import type { PickerInput } from './leveled.js';
import { Picker } from './picker.js';

async function flushed(tables: number): Promise<TreeHarness> {
  const harness = await TreeHarness.open();
  for (let i = 1; i <= tables; i++) {
    harness.write([{ space: USER_SPACE, key: utf8('key'), revision: i, sub: 0, tombstone: false, liveDelta: i === 1 ? 1 : 0, value: utf8('v') }]);
    harness.seal();
    await harness.flush();
  }
  return harness;
}

class Blocked {
  readonly ids = new Set<number>();
  asked = 0;

  has(id: number): boolean {
    this.asked++;
    return this.ids.has(id);
  }
}

describe('Picker', () => {
  it('looks again only when the version, the settings or the GC revision changed', async () => {
    const harness = await flushed(2);
    const picker = new Picker();
    let looks = 0;
    const settings = { ...SMALL_SETTINGS, get level0Tables() { looks++; return 3; } };
    const ask = (over: Partial<PickerInput> = {}): string => {
      const input = { manifest: harness.manifest, settings, proposer: 7, gcRevision: 0, blocked: new Set<number>(), ...over };
      return picker.pick(input).kind;
    };
    assert.equal(ask(), 'none');
    const once = looks;
    for (let i = 0; i < 5; i++) assert.equal(ask(), 'none');
    harness.seal();
    assert.equal(ask(), 'none', 'a seal changes no table');
    assert.equal(looks, once);
    ask({ gcRevision: 1 });
    assert.equal(looks, 2 * once);
    harness.write([{ space: USER_SPACE, key: utf8('key'), revision: 9, sub: 0, tombstone: false, liveDelta: 0, value: utf8('v') }]);
    await harness.flush();
    harness.seal();
    await harness.flush();
    assert.equal(ask(), 'plan');
  });

  it('H4 a table that is no longer blocked is planned for, although nothing else changed', async () => {
    const harness = await flushed(3);
    const picker = new Picker();
    const blocked = new Blocked();
    for (const { id } of harness.manifest.list()) blocked.ids.add(id);
    const input = { manifest: harness.manifest, settings: SMALL_SETTINGS, proposer: 7, gcRevision: 0, blocked };
    assert.equal(picker.pick(input).kind, 'none');
    assert(blocked.asked > 0);
    blocked.ids.clear();
    assert.equal(picker.pick(input).kind, 'plan');
  });
});
