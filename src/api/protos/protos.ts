/**
 * The `.proto` files of the package, loaded by reflection for everything that is not hot: cold
 * services, reflection, and tests that hold the hand-written codecs against them. 64-bit numbers
 * come as strings, fields keep their names.
 */

import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { loadSync } from '@grpc/proto-loader';
import type { MethodDefinition, PackageDefinition, ServiceDefinition } from '@grpc/proto-loader';

/** The same depth below the package from `src/` and from `dist/`. */
const ROOT = fileURLToPath(new URL('../../../proto/', import.meta.url));

export const CLIENT_PROTOS: readonly string[] = [
  'etcdserverpb/rpc.proto',
  'kintsugi/v1/heal.proto',
  'kintsugi/v1/backup.proto',
  'kintsugi/v1/members.proto',
  'v3lockpb/v3lock.proto',
  'v3electionpb/v3election.proto',
  'grpc/health/v1/health.proto',
];

let loaded: PackageDefinition | undefined;

/** Everything on the client port. Loaded once. */
export function clientPackage(): PackageDefinition {
  loaded ??= loadSync([...CLIENT_PROTOS], {
    includeDirs: [ROOT], keepCase: true, longs: String, enums: String, defaults: true, oneofs: true,
  });
  return loaded;
}

/** Where a file is that is called so in an import, or in {@link CLIENT_PROTOS}. */
export function protoPath(name: string): string {
  return join(ROOT, name);
}

export type AnyMethod = MethodDefinition<object, object>;

/** The methods of one service, by name. */
export function serviceMethods(service: string): Readonly<Record<string, AnyMethod>> {
  const definition = clientPackage()[service];
  if (definition === undefined || 'format' in definition) throw new Error(`no service ${service} in the protos`);
  return definition as ServiceDefinition as Readonly<Record<string, AnyMethod>>;
}
