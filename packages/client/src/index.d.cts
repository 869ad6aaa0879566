import type * as api from "./index.js" with { "resolution-mode": "import" };

/** What `require("node-convoy")` gives: the class itself, with everything else as its properties. */
declare const Convoy: typeof api.Convoy & Omit<typeof api, "default">;
type Convoy = api.Convoy;

declare namespace Convoy {
  type ConvoyClientError = api.ConvoyClientError;
  type ConvoyOptions = api.ConvoyOptions;
  type CallOptions = api.CallOptions;
  type RawAnswer = api.RawAnswer;
  type VolumeCreateArgs = api.VolumeCreateArgs;
  type VolumeRecord = api.VolumeRecord;
  type DetachedVolumeRecord = api.DetachedVolumeRecord;
  type SnapshotRecord = api.SnapshotRecord;
  type BackupRecord = api.BackupRecord;
  type InfoDocument = api.InfoDocument;
}

export = Convoy;
