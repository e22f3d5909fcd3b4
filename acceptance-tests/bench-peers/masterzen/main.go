// A peer of the WinRM benchmark: masterzen/winrm, and winrmcp for files, as Packer and Terraform's provisioners use them.
//
// It speaks the command line that acceptance-tests/src/bench/peer.rs describes.
package main

import (
	"fmt"
	"io"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/masterzen/winrm"
	"github.com/packer-community/winrmcp/winrmcp"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(arguments []string) error {
	if len(arguments) < 4 {
		return fmt.Errorf("usage: peer ACTION AUTHENTICATION URLS COUNT [ARGUMENT]")
	}
	action, authentication, urls := arguments[0], arguments[1], strings.Split(arguments[2], ",")
	count, err := strconv.Atoi(arguments[3])
	if err != nil {
		return err
	}
	switch action {
	case "commands":
		further, err := strconv.Atoi(arguments[4])
		if err != nil {
			return err
		}
		return commands("cold", authentication, urls[0], count, further)
	case "first":
		return commands("first", authentication, urls[0], count, 0)
	case "upload":
		return upload(authentication, urls[0], count, arguments[4])
	case "query", "queries":
		call, err := readCall(arguments[4:])
		if err != nil {
			return err
		}
		ask := func(address string) error { return query(authentication, address, call) }
		if action == "queries" {
			return many(ask, urls, count)
		}
		for range count {
			if err := timed("query", func() error { return ask(urls[0]) }); err != nil {
				return err
			}
		}
		return nil
	case "hosts":
		return many(func(address string) error { return session(authentication, address, 0) }, urls, count)
	}
	return fmt.Errorf("unknown action %s", action)
}

func timed(name string, work func() error) error {
	begin := time.Now()
	if err := work(); err != nil {
		return err
	}
	fmt.Printf("%s %f\n", name, time.Since(begin).Seconds())
	return nil
}

func endpoint(address string) (*winrm.Endpoint, error) {
	parsed, err := url.Parse(address)
	if err != nil {
		return nil, err
	}
	port, err := strconv.Atoi(parsed.Port())
	if err != nil {
		return nil, err
	}
	authority, err := os.ReadFile(os.Getenv("LAB_AUTHORITY"))
	if err != nil {
		return nil, err
	}
	secure := parsed.Scheme == "https"
	return winrm.NewEndpoint(parsed.Hostname(), port, secure, false, authority, nil, nil, time.Minute), nil
}

// transport is NTLM with message encryption over HTTP, NTLM over HTTPS, or nil for Basic.
func transport(authentication, address string) func() winrm.Transporter {
	if authentication != "ntlm" {
		return nil
	}
	if strings.HasPrefix(address, "https:") {
		return func() winrm.Transporter { return &winrm.ClientNTLM{} }
	}
	return func() winrm.Transporter {
		encryption, err := winrm.NewEncryption("ntlm")
		if err != nil {
			panic(err)
		}
		return encryption
	}
}

func client(authentication, address string) (*winrm.Client, error) {
	endpoint, err := endpoint(address)
	if err != nil {
		return nil, err
	}
	parameters := *winrm.DefaultParameters
	parameters.TransportDecorator = transport(authentication, address)
	return winrm.NewClientWithParameters(endpoint, os.Getenv("LAB_USER"), os.Getenv("LAB_PASSWORD"), &parameters)
}

func quick(shell *winrm.Shell) error {
	command, err := shell.Execute("quick")
	if err != nil {
		return err
	}
	defer command.Close()
	output, err := io.ReadAll(command.Stdout)
	if err != nil {
		return err
	}
	command.Wait()
	if string(output) != "quick\r\n" {
		return fmt.Errorf("the command printed %q", output)
	}
	return nil
}

func session(authentication, address string, further int) error {
	client, err := client(authentication, address)
	if err != nil {
		return err
	}
	shell, err := client.CreateShell()
	if err != nil {
		return err
	}
	defer shell.Close()
	if err := quick(shell); err != nil {
		return err
	}
	for range further {
		if err := timed("further", func() error { return quick(shell) }); err != nil {
			return err
		}
	}
	return nil
}

func commands(name, authentication, address string, sessions, further int) error {
	for range sessions {
		if err := timed(name, func() error { return session(authentication, address, further) }); err != nil {
			return err
		}
	}
	return nil
}

// call is a script to run: the words of its command line and its input.
type call struct {
	further int
	words   []string
	input   []byte
}

// readCall takes the number of further calls, a file with a word in each line, and a file with the input.
func readCall(arguments []string) (call, error) {
	further, err := strconv.Atoi(arguments[0])
	if err != nil {
		return call{}, err
	}
	lines, err := os.ReadFile(arguments[1])
	if err != nil {
		return call{}, err
	}
	input, err := os.ReadFile(arguments[2])
	return call{further, strings.Split(strings.TrimSpace(string(lines)), "\n"), input}, err
}

// query runs a script in a shell of its own, and further ones there.
func query(authentication, address string, call call) error {
	client, err := client(authentication, address)
	if err != nil {
		return err
	}
	shell, err := client.CreateShell()
	if err != nil {
		return err
	}
	defer shell.Close()
	if err := script(shell, call.words, call.input); err != nil {
		return err
	}
	for range call.further {
		if err := timed("further", func() error { return script(shell, call.words, call.input) }); err != nil {
			return err
		}
	}
	return nil
}

func script(shell *winrm.Shell, words []string, input []byte) error {
	command, err := shell.Execute(words[0], words[1:]...)
	if err != nil {
		return err
	}
	defer command.Close()
	if _, err := command.Stdin.Write(input); err != nil {
		return err
	}
	if err := command.Stdin.Close(); err != nil {
		return err
	}
	output, err := io.ReadAll(command.Stdout)
	if err != nil {
		return err
	}
	command.Wait()
	if !strings.HasPrefix(string(output), "AZUREMFA-REPLY:") || !strings.Contains(string(output), "\"ok\":true") {
		return fmt.Errorf("the script answered %q", output[:min(len(output), 200)])
	}
	return nil
}

func upload(authentication, address string, times int, file string) error {
	parsed, err := url.Parse(address)
	if err != nil {
		return err
	}
	authority, err := os.ReadFile(os.Getenv("LAB_AUTHORITY"))
	if err != nil {
		return err
	}
	copier, err := winrmcp.New(parsed.Host, &winrmcp.Config{
		Auth:                  winrmcp.Auth{User: os.Getenv("LAB_USER"), Password: os.Getenv("LAB_PASSWORD")},
		Https:                 parsed.Scheme == "https",
		CACertBytes:           authority,
		OperationTimeout:      time.Minute,
		MaxOperationsPerShell: 15,
		TransportDecorator:    transport(authentication, address),
	})
	if err != nil {
		return err
	}
	for range times {
		if err := timed("upload", func() error { return copier.Copy(file, "C:/Windows/Temp/upload.bin") }); err != nil {
			return err
		}
	}
	return nil
}

func memory(field string) (int, error) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, err
	}
	for _, line := range strings.Split(string(status), "\n") {
		if rest, found := strings.CutPrefix(line, field+":"); found {
			return strconv.Atoi(strings.Fields(rest)[0])
		}
	}
	return 0, fmt.Errorf("no %s in /proc/self/status", field)
}

func many(ask func(address string) error, urls []string, times int) error {
	for range times {
		if err := timed("one", func() error { return ask(urls[0]) }); err != nil {
			return err
		}
	}
	idle, err := memory("VmRSS")
	if err != nil {
		return err
	}
	failures := make(chan error, len(urls))
	all := func() error {
		var group sync.WaitGroup
		for _, address := range urls {
			group.Add(1)
			go func() {
				defer group.Done()
				failures <- ask(address)
			}()
		}
		group.Wait()
		for range urls {
			if err := <-failures; err != nil {
				return err
			}
		}
		return nil
	}
	for range times {
		if err := timed("all", all); err != nil {
			return err
		}
	}
	peak, err := memory("VmHWM")
	if err != nil {
		return err
	}
	fmt.Printf("memory %d\n", max(0, peak-idle))
	return nil
}
