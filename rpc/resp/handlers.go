package resp

import "github.com/quorate/quorate/fsm/command"

// handlers answers every command whose home is the connection or the node. It is a slice by id, because PING and its
// like are looked up for every pipeline. init, because the handlers of EXEC read it.
var handlers [maxCommandID]handler

func init() {
	for _, table := range []map[command.ID]handler{
		sessionHandlers, clientHandlers, clusterHandlers, serverHandlers, nodeHandlers, introspection(),
	} {
		for id, h := range table {
			handlers[id] = h
		}
	}
}

var sessionHandlers = map[command.ID]handler{
	command.Auth: cmdAuth, command.Hello: cmdHello, command.Ping: cmdPing, command.Echo: cmdEcho,
	command.Select: cmdSelect, command.Reset: cmdReset, command.Quit: cmdQuit, command.Readonly: cmdReadonly,
	command.Readwrite: cmdReadwrite, command.Asking: cmdAsking, command.Subscribe: cmdSubscribe,
	command.Unsubscribe: cmdUnsubscribe, command.Multi: cmdMulti, command.Exec: cmdExec,
	command.Discard: cmdDiscard, command.Watch: cmdWatch, command.Unwatch: cmdUnwatch,
}

var clientHandlers = map[command.ID]handler{
	command.ClientCaching: cmdClientCaching, command.ClientCapa: cmdClientCapa, command.ClientGetname: cmdClientGetname,
	command.ClientGetredir: cmdClientGetredir, command.ClientId: cmdClientID, command.ClientInfo: cmdClientInfo,
	command.ClientKill: cmdClientKill, command.ClientList: cmdClientList,
	command.ClientMaintNotifications: cmdClientMaintNotifications, command.ClientNoEvict: cmdClientNoEvict,
	command.ClientNoTouch: cmdClientNoTouch, command.ClientPause: cmdClientPause, command.ClientReply: cmdClientReply,
	command.ClientSetinfo: cmdClientSetinfo, command.ClientSetname: cmdClientSetname,
	command.ClientTracking: cmdClientTracking, command.ClientTrackinginfo: cmdClientTrackinginfo,
	command.ClientUnblock: cmdClientUnblock, command.ClientUnpause: cmdClientUnpause,
}

var clusterHandlers = map[command.ID]handler{
	command.ClusterSlots: cmdClusterSlots, command.ClusterShards: cmdClusterShards, command.ClusterNodes: cmdClusterNodes,
	command.ClusterInfo: cmdClusterInfo, command.ClusterMyid: cmdClusterMyid, command.ClusterMyshardid: cmdClusterMyshardid,
	command.ClusterKeyslot: cmdClusterKeyslot, command.ClusterReplicas: cmdClusterReplicas,
	command.ClusterSlaves: cmdClusterReplicas, command.ClusterLinks: cmdClusterLinks,
	command.ClusterSlotStats: cmdClusterSlotStats, command.ClusterCountFailureReports: cmdClusterCountFailureReports,
	command.ClusterBumpepoch: cmdClusterBumpepoch, command.ClusterSaveconfig: cmdClusterSaveconfig,
	command.ClusterFailover: cmdClusterFailover, command.ClusterGetslotmigrations: cmdClusterGetslotmigrations,

	command.ClusterMeet: refused(hintNodes), command.ClusterForget: refused(hintNodes),
	command.ClusterReset: refused(hintNodes), command.ClusterReplicate: refused(hintNodes),
	command.ClusterAddslots: refused(hintSlots), command.ClusterAddslotsrange: refused(hintSlots),
	command.ClusterDelslots: refused(hintSlots), command.ClusterDelslotsrange: refused(hintSlots),
	command.ClusterFlushslots: refused(hintSlots), command.ClusterSetConfigEpoch: refused(hintSlots),
	command.ClusterSetslot: refused(hintMoves), command.ClusterMigrateslots: refused(hintMoves),
	command.ClusterMigration: refused(hintMoves), command.ClusterCancelslotmigrations: refused(hintMoves),
}

var serverHandlers = map[command.ID]handler{
	command.Info: cmdInfo, command.Role: cmdRole, command.Time: cmdTime, command.Lastsave: cmdLastsave,
	command.Wait: cmdWait, command.Waitaof: cmdWaitaof, command.Shutdown: cmdShutdown, command.Debug: cmdDebug,
	command.Quorate: cmdQuorate, command.ModuleList: cmdModuleList,
	command.ConfigGet: cmdConfigGet, command.ConfigSet: cmdConfigSet, command.ConfigResetstat: cmdConfigResetstat,
	command.ConfigRewrite: cmdConfigRewrite,
	command.SlowlogGet:    cmdSlowlogGet, command.SlowlogLen: cmdSlowlogLen, command.SlowlogReset: cmdSlowlogReset,
	command.LatencyDoctor: cmdLatencyDoctor, command.LatencyGraph: cmdLatencyGraph,
	command.LatencyHistogram: cmdLatencyHistogram, command.LatencyHistory: cmdLatencyHistory,
	command.LatencyLatest: cmdLatencyLatest, command.LatencyReset: cmdLatencyReset,
	command.MemoryDoctor: cmdMemoryDoctor, command.MemoryMallocStats: cmdMemoryMallocStats,
	command.MemoryPurge: cmdMemoryPurge, command.MemoryStats: cmdMemoryStats,
}

var nodeHandlers = map[command.ID]handler{
	command.Dbsize: cmdDbsize, command.Keys: cmdKeys, command.Randomkey: cmdRandomkey, command.Scan: cmdScan,
	command.Flushall: cmdFlushall, command.Flushdb: cmdFlushdb,
	command.ClusterCountkeysinslot: cmdCountkeysinslot, command.ClusterGetkeysinslot: cmdGetkeysinslot,
}

// introspection are COMMAND and every HELP, which the command table answers itself.
func introspection() map[command.ID]handler {
	out := map[command.ID]handler{}
	for _, id := range []command.ID{
		command.Command, command.CommandCount, command.CommandDocs, command.CommandGetkeys,
		command.CommandGetkeysandflags, command.CommandInfo, command.CommandList,
	} {
		out[id] = func(c *conn, args [][]byte) { command.Introspect(c.w(), id, args) }
	}
	for help, container := range map[command.ID]command.ID{
		command.CommandHelp: command.Command, command.ClientHelp: command.Client, command.ClusterHelp: command.Cluster,
		command.ConfigHelp: command.Config, command.SlowlogHelp: command.Slowlog, command.LatencyHelp: command.Latency,
		command.MemoryHelp: command.Memory, command.ModuleHelp: command.Module, command.ObjectHelp: command.Object,
	} {
		out[help] = func(c *conn, _ [][]byte) { command.WriteHelp(c.w(), command.ByID(container)) }
	}
	return out
}
