// What a simulated host needs that PowerShell on Linux has not: its state behind a lock, and a registry.
// Compiled once by Import-LabHostAssembly.ps1 and kept in the cache folder.
using System;
using System.Collections.Generic;
using System.Collections.ObjectModel;
using System.IO;
using System.Linq;
using System.Management.Automation;
using System.Management.Automation.Provider;
using System.Net;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Threading;

namespace AzureMfaLab
{
    // The estate's files. A lock file is held as flock(2) does it, which is what other processes of the lab use too.
    public static class Files
    {
        public static string HostFolder = "";

        public static FileStream Lock(string path)
        {
            for (int attempt = 0; ; attempt++)
            {
                try { return new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None); }
                catch (IOException) when (attempt < 3000) { Thread.Sleep(10); }
            }
        }

        public static string StatePath { get { return Path.Combine(HostFolder, "state.json"); } }
        public static string StateLock { get { return Path.Combine(HostFolder, "state.lock"); } }
        public static string Estate { get { return Path.GetFullPath(Path.Combine(HostFolder, "..", "..")); } }

        public static void Replace(string path, string text)
        {
            string fresh = path + "." + Environment.ProcessId + ".new";
            File.WriteAllText(fresh, text, new UTF8Encoding(false));
            File.Move(fresh, path, true);
        }

        // The sequence runs over the whole estate: the last number stands in the lock file.
        public static void Journal(string host, string what, string detail)
        {
            using (FileStream stream = Lock(Path.Combine(Estate, "journal.lock")))
            {
                var reader = new StreamReader(stream, Encoding.ASCII);
                long last;
                long.TryParse(reader.ReadToEnd().Trim(), out last);
                string number = (last + 1).ToString(System.Globalization.CultureInfo.InvariantCulture);
                stream.SetLength(0);
                byte[] bytes = Encoding.ASCII.GetBytes(number);
                stream.Write(bytes, 0, bytes.Length);
                stream.Flush();
                var entry = new JsonObject
                {
                    ["sequence"] = last + 1,
                    ["time"] = DateTime.UtcNow.ToString("yyyy-MM-ddTHH:mm:ssZ", System.Globalization.CultureInfo.InvariantCulture),
                    ["host"] = host,
                    ["what"] = what,
                    ["detail"] = JsonNode.Parse(detail),
                };
                File.AppendAllText(Path.Combine(HostFolder, "journal.jsonl"), entry.ToJsonString() + "\n");
            }
        }
    }

    // Passes everything on and remembers the reply, from which the journal of file work is written.
    public sealed class ReplyWriter : TextWriter
    {
        private readonly TextWriter inner;
        // Told of each reply before it is seen outside.
        public Action<string> OnReply { get; set; }

        public ReplyWriter(TextWriter inner) { this.inner = inner; }
        public override Encoding Encoding { get { return inner.Encoding; } }
        public override void Write(char value) { inner.Write(value); }
        public override void Write(string value) { inner.Write(value); }
        public override void WriteLine(string value)
        {
            if (OnReply != null && value != null && value.StartsWith("AZUREMFA-REPLY:", StringComparison.Ordinal)) { OnReply(value.Substring(15)); }
            // Lines end as on Windows.
            inner.Write(value + "\r\n");
        }
        public override void Flush() { inner.Flush(); }
    }

    // Serves https addresses from the estate's releases, as the real requests would answer. With "chunked" in what follows
    // the question mark no length is announced.
#pragma warning disable SYSLIB0014
    public sealed class ReleaseRequests : IWebRequestCreate
    {
        public WebRequest Create(Uri uri) { return new ReleaseRequest(uri); }
    }

    public sealed class ReleaseRequest : WebRequest
    {
        private readonly Uri uri;
        public ReleaseRequest(Uri uri) { this.uri = uri; }
        public override Uri RequestUri { get { return uri; } }
        public override int Timeout { get; set; }
        public int ReadWriteTimeout { get; set; }

        public override WebResponse GetResponse()
        {
            string root = Path.Combine(Files.Estate, "releases", uri.Host);
            if (!Directory.Exists(root)) { throw new WebException("The remote name could not be resolved: '" + uri.Host + "'", WebExceptionStatus.NameResolutionFailure); }
            string file = Path.GetFullPath(root + Uri.UnescapeDataString(uri.AbsolutePath));
            if (!file.StartsWith(root + "/", StringComparison.Ordinal) || !File.Exists(file))
            {
                throw new WebException("The remote server returned an error: (404) Not Found.", null, WebExceptionStatus.ProtocolError, new ReleaseResponse(HttpStatusCode.NotFound, Stream.Null, 0));
            }
            FileStream content = File.OpenRead(file);
            return new ReleaseResponse(HttpStatusCode.OK, content, uri.Query.Contains("chunked") ? -1 : content.Length);
        }
    }

    public sealed class ReleaseResponse : WebResponse
    {
        private readonly Stream content;
        private readonly long length;
        public HttpStatusCode StatusCode { get; private set; }
        public ReleaseResponse(HttpStatusCode status, Stream content, long length) { StatusCode = status; this.content = content; this.length = length; }
        public override long ContentLength { get { return length; } set { throw new NotSupportedException(); } }
        public override Stream GetResponseStream() { return content; }
        public override void Close() { content.Dispose(); }
    }

    // Plays the domain controllers to which a host could go on: they have one file, and take it or leave it.
    public sealed class DomainFileRequests : IWebRequestCreate
    {
        public WebRequest Create(Uri uri) { return new DomainFileRequest(uri); }
    }

    public sealed class DomainFileRequest : WebRequest
    {
        private readonly Uri uri;
        public DomainFileRequest(Uri uri) { this.uri = uri; }
        public override Uri RequestUri { get { return uri; } }
        public override int Timeout { get; set; }

        public override WebResponse GetResponse()
        {
            if (Timeout <= 0 || Timeout > 30000) { throw new InvalidOperationException("a share may keep a call for minutes, and this one waits " + Timeout + " ms"); }
            JsonNode state = JsonNode.Parse(File.ReadAllText(Files.StatePath));
            string domain = (string)state["domain"];
            string known = "\\\\" + domain + "\\SYSVOL\\" + domain + "\\Policies\\{31B2F340-016D-11D2-945F-00C04FB984F9}\\GPT.INI";
            if (uri.LocalPath != known) { throw new InvalidOperationException("no script opens " + uri.LocalPath); }
            JsonNode error = state["second_hop"]?["error"];
            int number = error == null ? 5 : (int)error;
            if (number == 0) { return new ReleaseResponse(HttpStatusCode.OK, Stream.Null, 0); }
            if (number == 258) { throw new WebException("The operation has timed out.", WebExceptionStatus.Timeout); }
            Exception cause = Cause(number, known);
            throw new WebException(cause.Message, cause, WebExceptionStatus.ConnectFailure, null);
        }

        // What .NET makes of an error of Windows.
        private static Exception Cause(int number, string path)
        {
            switch (number)
            {
                case 5: return new UnauthorizedAccessException("Access to the path '" + path + "' is denied.");
                case 53: return new IOException("The network path was not found.\r\n", unchecked((int)0x80070035));
                case 1326: return new IOException("The user name or password is incorrect.\r\n", unchecked((int)0x8007052E));
                default: throw new InvalidOperationException("no domain controller answers with error " + number);
            }
        }
    }
#pragma warning restore SYSLIB0014

    public sealed class RegistryKey
    {
        public string Name { get; set; }
        public object GetValue(string name) { return RegistryProvider.Value(Name, name); }
    }

    // HKLM: over the part "registry" of state.json. Keys are found in any casing; parents exist implicitly.
    [CmdletProvider("Registry", ProviderCapabilities.ShouldProcess)]
    public sealed class RegistryProvider : NavigationCmdletProvider, IPropertyCmdletProvider
    {
        private const string Root = "HKEY_LOCAL_MACHINE";

        protected override Collection<PSDriveInfo> InitializeDefaultDrives()
        {
            return new Collection<PSDriveInfo> { new PSDriveInfo("HKLM", ProviderInfo, Root, "The registry of the simulated host", null) };
        }

        // The key below HKLM, with backslashes and without one at either end.
        private static string KeyOf(string path)
        {
            string key = path.Replace('/', '\\').Trim('\\');
            if (key.StartsWith(Root, StringComparison.OrdinalIgnoreCase)) { key = key.Substring(Root.Length); }
            else if (key.StartsWith("HKLM:", StringComparison.OrdinalIgnoreCase)) { key = key.Substring(5); }
            return key.Trim('\\');
        }

        private static JsonObject Load()
        {
            JsonNode registry = JsonNode.Parse(File.ReadAllText(Files.StatePath))["registry"];
            return registry as JsonObject ?? new JsonObject();
        }

        private static IEnumerable<KeyValuePair<string, JsonObject>> Keys()
        {
            return Load().Select(entry => new KeyValuePair<string, JsonObject>(KeyOf(entry.Key), (JsonObject)entry.Value));
        }

        private static bool IsBelow(string key, string parent)
        {
            return parent.Length == 0 || key.StartsWith(parent + "\\", StringComparison.OrdinalIgnoreCase);
        }

        private static bool Exists(string key)
        {
            return key.Length == 0 || Keys().Any(entry => string.Equals(entry.Key, key, StringComparison.OrdinalIgnoreCase) || IsBelow(entry.Key, key));
        }

        private static object ValueOf(JsonNode node)
        {
            if (node is JsonArray list) { return list.Select(item => item.GetValue<string>()).ToArray(); }
            JsonValue value = (JsonValue)node;
            if (value.TryGetValue(out string text)) { return text; }
            long number = value.GetValue<long>();
            // A DWORD is a signed 32-bit number to PowerShell.
            if (number <= uint.MaxValue) { return unchecked((int)(uint)number); }
            return number;
        }

        public static object Value(string path, string name)
        {
            string key = KeyOf(path);
            foreach (var entry in Keys().Where(entry => string.Equals(entry.Key, key, StringComparison.OrdinalIgnoreCase)))
            {
                foreach (var value in entry.Value)
                {
                    if (string.Equals(value.Key, name, StringComparison.OrdinalIgnoreCase)) { return ValueOf(value.Value); }
                }
            }
            return null;
        }

        protected override bool IsValidPath(string path) { return true; }
        protected override bool ItemExists(string path) { return Exists(KeyOf(path)); }
        protected override bool IsItemContainer(string path) { return true; }
        protected override bool HasChildItems(string path) { return Children(KeyOf(path)).Any(); }

        protected override void GetItem(string path)
        {
            WriteItemObject(new RegistryKey { Name = Root + "\\" + KeyOf(path) }, path, true);
        }

        private static IEnumerable<string> Children(string parent)
        {
            int start = parent.Length == 0 ? 0 : parent.Length + 1;
            return Keys().Select(entry => entry.Key)
                .Where(key => key.Length > start && IsBelow(key, parent))
                .Select(key => key.Substring(start).Split('\\')[0])
                .Distinct(StringComparer.OrdinalIgnoreCase);
        }

        protected override void GetChildItems(string path, bool recurse)
        {
            if (recurse) { throw new NotSupportedException("the simulated registry lists one level only"); }
            string parent = KeyOf(path);
            foreach (string name in Children(parent))
            {
                string child = (parent.Length == 0 ? Root : Root + "\\" + parent) + "\\" + name;
                WriteItemObject(new RegistryKey { Name = child }, child, true);
            }
        }

        public void GetProperty(string path, Collection<string> names)
        {
            string key = KeyOf(path);
            var values = Keys().Where(entry => string.Equals(entry.Key, key, StringComparison.OrdinalIgnoreCase)).SelectMany(entry => entry.Value).ToList();
            var found = new PSObject();
            int count = 0;
            foreach (var value in values)
            {
                if (names != null && names.Count > 0 && !names.Contains(value.Key, StringComparer.OrdinalIgnoreCase)) { continue; }
                found.Properties.Add(new PSNoteProperty(value.Key, ValueOf(value.Value)));
                count++;
            }
            // A key without values yields nothing, as on Windows.
            if (count > 0) { WritePropertyObject(found, path); }
        }

        public void SetProperty(string path, PSObject value) { throw new NotSupportedException("nothing writes the simulated registry from a script"); }
        public void ClearProperty(string path, Collection<string> names) { throw new NotSupportedException("nothing writes the simulated registry from a script"); }
        public object GetPropertyDynamicParameters(string path, Collection<string> names) { return null; }
        public object SetPropertyDynamicParameters(string path, PSObject value) { return null; }
        public object ClearPropertyDynamicParameters(string path, Collection<string> names) { return null; }
    }
}
