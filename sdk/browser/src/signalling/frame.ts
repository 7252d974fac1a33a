// What goes over the WebSocket: one JSON object each (docs/reference/peerjs-dialect.md, B2; room-frames.md).

import { membersOf } from '../members.js';

export interface Frame {
  type: string;
  src?: string;
  dst?: string;
  room?: string;
  payload?: unknown;
  attachments?: string[];
}

// `undefined` for what is no frame: it is left alone.
export function parseFrame(text: unknown): Frame | undefined {
  if (typeof text !== 'string') return undefined;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  const { type, src, dst, room, payload, attachments } = membersOf(value);
  if (typeof type !== 'string') return undefined;
  const frame: Frame = { type };
  if (typeof src === 'string') frame.src = src;
  if (typeof dst === 'string') frame.dst = dst;
  if (typeof room === 'string') frame.room = room;
  if (payload !== undefined) frame.payload = payload;
  if (Array.isArray(attachments)) frame.attachments = attachments.filter((part) => typeof part === 'string');
  return frame;
}
