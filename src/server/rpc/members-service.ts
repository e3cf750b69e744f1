/** kintsugi.v1.Members: changes of the members that etcd's Cluster service has no words for. */

import type { Store } from '../../node/store.js';
import { addCold } from './cold.js';
import { memberIdOf } from './cluster-service.js';
import type { Method } from '../../grpc/method.js';

export function addMembers(table: Map<string, Method>, store: Store): void {
  addCold(table, 'kintsugi.v1.Members', {
    Replace: async (request) => {
      await store.changeMembers({ kind: 'replace', id: memberIdOf(request['promoted']), removed: memberIdOf(request['removed']) });
      return {};
    },
  });
}
