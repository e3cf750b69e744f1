/**
 * What the JSON form of a message needs to know of it: names, numbers and kinds of its fields. It
 * is made from the `.proto` files (`protos/message-schemas.ts`), and never changes.
 */

/** Kinds of fields that etcd's messages have. */
export type FieldKind = 'int32' | 'uint32' | 'int64' | 'uint64' | 'bool' | 'string' | 'bytes' | 'enum' | 'message';

export interface FieldSchema {
  /** As in the `.proto` file. */
  readonly name: string;
  /** The same in camelCase. */
  readonly jsonName: string;
  readonly number: number;
  readonly kind: FieldKind;
  readonly repeated: boolean;
  /** At most one field of a oneof is set, and one that is set to zero is set. */
  readonly oneof: string | undefined;
  /** Of an enum: its names by number and its numbers by name. */
  readonly names: ReadonlyMap<number, string>;
  readonly numbers: ReadonlyMap<string, number>;
  /** Of a message. */
  readonly message: MessageSchema | undefined;
}

export interface MessageSchema {
  /** With its package. */
  readonly name: string;
  readonly byNumber: ReadonlyMap<number, FieldSchema>;
  /** By the name in the `.proto` file, and by the same in camelCase: either may be sent. */
  readonly byName: ReadonlyMap<string, FieldSchema>;
}
