// Placeholder: helper H writes this file.

import { Room } from './room.js';

export class SFURoom extends Room {}
