import assert from 'node:assert/strict';
import { CodecError } from '../../base/errors.js';
import { put } from '../../api/testing/requests.js';
import { Alarms, type AlarmChange } from './alarms.js';
import type { KvCommand } from './command.js';
import { command, op } from './testing/requests.js';

function raise(member: number, byItself: boolean, action: AlarmChange['action'] = 'raise'): AlarmChange {
  return { action, member, type: 'NOSPACE', byItself };
}

describe('Alarms', () => {
  it('S2 what came by itself goes by itself, and what an operator asked for only by an operator', () => {
    const alarms = new Alarms();
    alarms.apply(raise(1, true));
    alarms.apply(raise(1, true));
    assert.deepEqual(alarms.list(), [{ member: 1, type: 'NOSPACE', byItself: true }]);
    alarms.apply(raise(1, true, 'lower'));
    assert.ok(!alarms.noSpace);
    alarms.apply(raise(1, true));
    alarms.apply(raise(1, false));
    alarms.apply(raise(1, true));
    alarms.apply(raise(1, true, 'lower'));
    assert.deepEqual(alarms.list(), [{ member: 1, type: 'NOSPACE', byItself: false }]);
    alarms.apply(raise(2, true));
    alarms.apply(raise(1, false, 'lower'));
    assert.ok(alarms.noSpace, 'one alarm is enough');
    alarms.apply(raise(2, false, 'lower'));
    assert.deepEqual([alarms.list(), alarms.noSpace], [[], false]);
  });

  it('S2 a put is refused however deep it is nested, in either branch', () => {
    const alarms = new Alarms();
    alarms.apply(raise(1, false));
    const refused = (asked: KvCommand): boolean => alarms.refusalOf(asked) !== undefined;
    const inner = op.txn([], [op.del('a')], [op.txn([], [op.put('b', '1')])]);
    assert.ok(refused(command.txn([], [op.range('a')], [inner])) && refused(command.txn([], [inner])));
    assert.ok(!refused(command.txn([], [op.txn([], [op.del('a')], [op.range('b')])])), 'what makes nothing larger goes on');
  });

  it('S2 reads back as it was written, and refuses the same', () => {
    const alarms = new Alarms();
    alarms.apply(raise(2 ** 52, true));
    alarms.apply({ ...raise(7, false), type: 'CORRUPT' });
    const again = Alarms.decode(alarms.encode());
    assert.deepEqual(again.list(), alarms.list());
    const command = { kind: 'put', request: put('k', 'v') } as const;
    assert.equal(again.refusalOf(command)?.code, 'NO_SPACE');
    assert.equal(again.refusalOf({ kind: 'compact', request: { revision: 1, physical: false } }), undefined);
    again.apply(raise(2 ** 52, true, 'lower'));
    assert.equal(again.refusalOf(command), undefined, 'CORRUPT refuses nothing');
    assert.throws(() => Alarms.decode(Uint8Array.of(1, 1, 9, 0)), CodecError);
    assert.throws(() => Alarms.decode(Uint8Array.of(1, 1, 1, 4)), CodecError);
  });
});
