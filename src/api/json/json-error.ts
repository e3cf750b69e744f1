/**
 * A text that is no JSON, or not of the message. Its words go to the client as they are: etcd's.
 */
export class JsonError extends Error {
  override readonly name = 'JsonError';
}
