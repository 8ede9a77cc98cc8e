package protocol_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"

	"moments/infer/serve/protocol"
)

// Every server answers for itself before it has any model.
func Example() {
	s := protocol.New(protocol.Options{Version: "1.0"})
	server := httptest.NewServer(s.Handler())
	defer server.Close()
	show := func(path string) {
		answer, err := http.Get(server.URL + path)
		if err != nil {
			fmt.Println(err)
			return
		}
		defer answer.Body.Close()
		text, _ := io.ReadAll(answer.Body)
		fmt.Println(strings.TrimSpace(fmt.Sprint(answer.StatusCode, " ", string(text))))
	}
	show("/v2")
	show("/v2/health/ready")
	s.SetReady(true)
	show("/v2/health/ready")
	// Output:
	// 200 {"name":"moments","version":"1.0","extensions":["binary_tensor_data","model_repository","statistics"]}
	// 503 {"error":"protocol: the server is not ready"}
	// 200
}
