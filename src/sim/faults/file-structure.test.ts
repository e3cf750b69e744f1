import assert from 'node:assert/strict';
import { structureByPath, structureOfName } from '../disk/default-structure.js';
import { fileStructure } from './file-structure.js';

describe('what lies in a file', () => {
  it('is what it was before a member that is re-admitted had set it aside', () => {
    for (const path of ['hardstate', 'log/0000000000000001.seg', 'joined', 'recovering.copy', 'refused.tmp', 'promises']) {
      for (const of of [fileStructure, structureByPath, structureOfName]) {
        assert.equal(of(`aside/1f00/${path}`), of(path));
        assert.notEqual(of(path), 'directory');
      }
    }
  });
});
