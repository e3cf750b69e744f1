/**
 * What each method of the client port requires of its caller while auth is on. The table is
 * complete by construction: a port with a method that has no row does not start
 * (`services.ts`). How to add one: a row here, under the method's path.
 *
 *   anyone   nothing of the store is told or changed; no token is looked at
 *   token    whoever sends none is answered, and nobody with one that is not good
 *   name     whoever says who it is: a user by a token, or a certificate of an authority that is
 *            trusted, whether or not there is a user of its name. So etcd has it, and `etcdctl
 *            endpoint health` with the certificate of a machine needs it
 *   user     any user that is there
 *   root     a user with the role `root`
 *   store    what is asked for decides (keys that are read or written, a lease's keys, the user's
 *            own record): the store checks where the request is carried out, against the state as
 *            of then. What it did not check is not answered
 *
 * Every row is at least as strict as etcd 3.7's.
 */

import type { Caller } from '../../api/caller.js';
import type { Message } from '../../api/protos/reflected-rpc.js';

export type Permission = 'anyone' | 'token' | 'name' | 'user' | 'root' | 'store';

/** A function looks at the request; for methods over reflection. */
export type Row = Permission | ((request: Message) => Permission);

export const PERMISSIONS: Readonly<Record<string, Row>> = {
  '/etcdserverpb.KV/Range': 'store',
  '/etcdserverpb.KV/RangeStream': 'store',
  '/etcdserverpb.KV/Put': 'store',
  '/etcdserverpb.KV/DeleteRange': 'store',
  '/etcdserverpb.KV/Txn': 'store',
  '/etcdserverpb.KV/Compact': 'store',

  // Each watch at its create, and all of a stream again whenever auth changes.
  '/etcdserverpb.Watch/Watch': 'store',

  '/etcdserverpb.Lease/LeaseGrant': 'store',
  '/etcdserverpb.Lease/LeaseRevoke': 'store',
  '/etcdserverpb.Lease/LeaseKeepAlive': 'store',
  '/etcdserverpb.Lease/LeaseTimeToLive': 'store',
  '/etcdserverpb.Lease/LeaseLeases': 'store',

  '/etcdserverpb.Cluster/MemberList': 'name',
  '/etcdserverpb.Cluster/MemberAdd': 'root',
  '/etcdserverpb.Cluster/MemberRemove': 'root',
  '/etcdserverpb.Cluster/MemberUpdate': 'root',
  '/etcdserverpb.Cluster/MemberPromote': 'root',

  '/etcdserverpb.Maintenance/Alarm': (request) => (request['action'] === 'GET' ? 'name' : 'root'),
  '/etcdserverpb.Maintenance/Status': 'name',
  '/etcdserverpb.Maintenance/Defragment': 'root',
  '/etcdserverpb.Maintenance/Hash': 'root',
  '/etcdserverpb.Maintenance/HashKV': 'root',
  '/etcdserverpb.Maintenance/Snapshot': 'root',
  '/etcdserverpb.Maintenance/MoveLeader': 'root',
  '/etcdserverpb.Maintenance/Downgrade': 'root',

  '/etcdserverpb.Auth/Authenticate': 'anyone',
  '/etcdserverpb.Auth/AuthStatus': 'token',
  '/etcdserverpb.Auth/AuthEnable': 'store',
  '/etcdserverpb.Auth/AuthDisable': 'store',
  '/etcdserverpb.Auth/UserAdd': 'store',
  '/etcdserverpb.Auth/UserGet': 'store',
  '/etcdserverpb.Auth/UserList': 'store',
  '/etcdserverpb.Auth/UserDelete': 'store',
  '/etcdserverpb.Auth/UserChangePassword': 'store',
  '/etcdserverpb.Auth/UserGrantRole': 'store',
  '/etcdserverpb.Auth/UserRevokeRole': 'store',
  '/etcdserverpb.Auth/RoleAdd': 'store',
  '/etcdserverpb.Auth/RoleGet': 'store',
  '/etcdserverpb.Auth/RoleList': 'store',
  '/etcdserverpb.Auth/RoleDelete': 'store',
  '/etcdserverpb.Auth/RoleGrantPermission': 'store',
  '/etcdserverpb.Auth/RoleRevokePermission': 'store',

  // Of the keys that stand for a place in a queue, as if they were put, read and deleted as such.
  '/v3lockpb.Lock/Lock': 'store',
  '/v3lockpb.Lock/Unlock': 'store',
  '/v3electionpb.Election/Campaign': 'store',
  '/v3electionpb.Election/Proclaim': 'store',
  '/v3electionpb.Election/Leader': 'store',
  '/v3electionpb.Election/Observe': 'store',
  '/v3electionpb.Election/Resign': 'store',

  '/kintsugi.v1.Heal/Status': 'user',
  '/kintsugi.v1.Heal/Hints': 'user',
  '/kintsugi.v1.Heal/Verify': 'root',
  '/kintsugi.v1.Heal/Scrub': 'root',
  '/kintsugi.v1.Backup/Save': 'root',
  '/kintsugi.v1.Members/Replace': 'root',

  '/grpc.health.v1.Health/Check': 'anyone',
  '/grpc.health.v1.Health/Watch': 'anyone',
  '/grpc.reflection.v1.ServerReflection/ServerReflectionInfo': 'anyone',
  '/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo': 'anyone',
};

/** A method that the store checks by the request, and did not, is not answered. */
export function mustBeChecked(path: string, caller: Caller): void {
  if (!caller.checked) throw new Error(`${path} was carried out without asking whether its caller may`);
}

/** The row of a method; throws if it has none. */
export function permissionOf(path: string): Row {
  const row = Object.hasOwn(PERMISSIONS, path) ? PERMISSIONS[path] : undefined;
  if (row === undefined) throw new Error(`${path} has no row in the table of permissions (permissions.ts)`);
  return row;
}
