import assert from 'node:assert/strict';
import { pino } from 'pino';
import { logEvents } from './log.js';

describe('the log', () => {
  function record(): { readonly lines: Record<string, unknown>[]; readonly sink: ReturnType<typeof logEvents> } {
    const lines: Record<string, unknown>[] = [];
    const logger = pino({ base: { node: 'a' } }, { write: (line: string) => void lines.push(JSON.parse(line) as Record<string, unknown>) });
    return { lines, sink: logEvents(logger, () => 0) };
  }

  it('members are in hex, as the member list has them, and do not take the field of who speaks', () => {
    const { lines, sink } = record();
    sink.emit({ type: 'role-changed', role: 'follower', term: 2, leader: 0x1234 });
    sink.emit({ type: 'hint', table: 7, node: 0xabc, kind: 'corrected', state: 'pending' });
    sink.emit({ type: 'digest-disagreed', plan: 9, nodes: [10, 11] });
    assert.deepEqual(lines.map(({ msg, node, leader, member, members, table }) => [msg, node, leader, member, members, table]), [
      ['role-changed', 'a', '1234', undefined, undefined, undefined],
      ['hint', 'a', undefined, 'abc', undefined, 7],
      ['digest-disagreed', 'a', undefined, undefined, ['a', 'b'], undefined],
    ]);
  });

  it('a flood is cut and counted, errors are not', () => {
    const { lines, sink } = record();
    for (let i = 0; i < 200; i++) sink.emit({ type: 'block-corrected', table: 1, offset: i, scheme: 'rs(8,2)', persistent: true });
    assert.equal(lines.length, 50);
    sink.emit({ type: 'disk-failed', what: 'log', why: 'EIO' });
    assert.equal(lines.length, 51);
  });
});
