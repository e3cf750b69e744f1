import assert from 'node:assert/strict';
import fc from 'fast-check';
import { VersionSlot } from '../../storage/base/version-slot.js';
import { Pace } from '../kv/pace.js';
import { ChangeBuffer } from './change-buffer.js';
import { PlaceOrder } from './place-order.js';

describe('the order of changes', () => {
  it('is that of their places, however many there are and whatever was sorted before', () => {
    const order = new PlaceOrder();
    const changes = new ChangeBuffer();
    const slot = new VersionSlot();
    fc.assert(fc.property(fc.uniqueArray(fc.tuple(fc.nat(300), fc.nat(3)), { maxLength: 400, selector: String }), (places) => {
      changes.clear();
      for (const [revision, sub] of places) {
        slot.set(revision, sub, false, 0, Uint8Array.of(revision, sub), 0, 2);
        changes.push(slot);
      }
      let yields = 0;
      for (const _ of order.sort(changes, new Pace(7))) yields++;
      assert.ok(yields >= Math.floor(places.length / 8 / 7), `${yields} slices for ${places.length}`);
      const sorted = places.map((_, n) => [changes.revisionAt(order.at(n)), changes.subAt(order.at(n))]);
      assert.deepEqual(sorted, [...places].sort(([a, aSub], [b, bSub]) => a - b || aSub - bSub));
    }));
  });
});
