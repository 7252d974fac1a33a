// A room's log: as the server tells it, as an application likes it, and as skyway-js told it.

import { membersOf } from '../members.js';
import { unpackRoomData } from './room_data.js';
import type { RoomLogEntry } from './types.js';

// What cannot be read is left out.
export function parseLog(payload: unknown): RoomLogEntry[] {
  return Array.isArray(payload) ? payload.flatMap((entry) => parseEntry(entry) ?? []) : [];
}

function parseEntry(value: unknown): RoomLogEntry | undefined {
  const { timestamp, src, action, mode, payload, attachments } = membersOf(value);
  if (typeof timestamp !== 'number' || typeof src !== 'string') return undefined;
  if (action === 'joined') return { timestamp, src, action, mode: mode === 'sfu' ? 'sfu' : 'mesh' };
  if (action === 'left') return { timestamp, src, action };
  if (action !== 'data') return undefined;
  try {
    return { timestamp, src, action, data: unpackRoomData(payload, attachments as string[] | undefined) };
  } catch {
    return undefined;
  }
}

// `{timestamp, messageType, message}` as text.
export function skywayLog(entries: RoomLogEntry[], roomName: string): string[] {
  return entries.map(({ timestamp, src, action, mode, data }) => {
    const [messageType, message] =
      action === 'data'
        ? ['ROOM_DATA', { src, data }]
        : action === 'joined'
          ? ['ROOM_USER_JOIN', { roomName, roomType: mode, src }]
          : ['ROOM_USER_LEAVE', { roomName, src }];
    return JSON.stringify({ timestamp, messageType, message });
  });
}
