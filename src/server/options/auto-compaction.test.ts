import assert from 'node:assert/strict';
import { autoCompactionOf } from './auto-compaction.js';

describe('the flags of automatic compaction', () => {
  const HOUR = 3_600_000;

  it('read as etcd reads them: a bare number is hours, or revisions', () => {
    assert.equal(autoCompactionOf('periodic', '0'), undefined);
    assert.equal(autoCompactionOf('revision', '0'), undefined);
    assert.equal(autoCompactionOf('periodic', ''), undefined);
    assert.deepEqual(autoCompactionOf('periodic', '8'), { mode: 'periodic', retentionMs: 8 * HOUR });
    assert.deepEqual(autoCompactionOf('periodic', '1h30m'), { mode: 'periodic', retentionMs: 1.5 * HOUR });
    assert.deepEqual(autoCompactionOf('revision', '1000'), { mode: 'revision', retention: 1000 });
  });

  it('what is neither is refused with what it should be', () => {
    for (const [mode, text] of [['periodic', 'soon'], ['periodic', '5ms'], ['periodic', '-1'], ['periodic', '99999999'], ['revision', '1h'], ['revision', '1.5']]) {
      assert.throws(() => autoCompactionOf(mode as string, text as string), /--auto-compaction-retention .*; 0 for none/, `${mode} ${text}`);
    }
  });
});
